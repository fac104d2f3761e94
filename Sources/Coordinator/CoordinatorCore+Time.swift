import JobStore
import Cluster
import Scheduling
import Tensors
import Wire

/// Deadlines: nothing waits for ever, and a silent node is asked for a sign of life.
extension CoordinatorCore {
  /// When `tick` is due at the latest; nil when only events matter. Asked for several times a token, hence without
  /// allocations.
  var nextDeadline: ContinuousClock.Instant? {
    var next = Earliest()
    for client in clients.values { next.add(client.greetingDeadline) }
    switch phase {
    case .failed, .stopped: return next.time
    case .starting, .running: break
    }
    for node in nodes.values {
      switch node.phase {
      case .awaitingAddress, .dialing: break
      case .waitingToRedial(let time), .greeting(let time): next.add(time)
      case .joined: next.add(node.watch.nextLook)
      }
      next.add(node.prepareDeadline)
      next.add(node.unfitUntil)
    }
    if case .starting = phase, transition == nil, !hasWaited { next.add(startedAt + configuration.timeouts.reach) }
    if let change = transition {
      next.add(change.deadline)
      next.add(drainDeadline(of: change))
    }
    for time in apart.values { next.add(time) }
    next.add(pausedUntil)
    next.add(book.deadline)
    next.add(durable.nextCheckpoint)
    next.add(load.nextDeadline)
    for step in steps.values { next.add(step.startedAt + configuration.timeouts.step) }
    return next.time
  }

  /// Does what is due.
  mutating func checkTimes(now: ContinuousClock.Instant) {
    switch phase {
    case .failed, .stopped: return checkClients(now: now)
    case .starting, .running: break
    }
    for node in nodes.keys.sorted() {
      checkPhase(of: node, now: now)
      watch(node, now: now)
    }
    checkStart(now: now)
    checkTransition(now: now)
    for (pair, time) in apart where time <= now {
      apart[pair] = nil
      mustPlan = true
    }
    if let time = pausedUntil, time <= now {
      pausedUntil = nil
      mustPlan = true
    }
    if let deadline = book.deadline, now >= deadline { directives.append(.readCounters) }
    if let time = durable.nextCheckpoint, now >= time { checkpoint(now: now) }
    if let time = load.nextDeadline, now >= time { answerLoad(now: now) }
    checkClients(now: now)
    checkSteps(now: now)
  }

  private mutating func checkClients(now: ContinuousClock.Instant) {
    for link in clients.keys.sorted() {
      if let deadline = clients[link]?.greetingDeadline, now >= deadline { drop(link, "no hello came", now: now) }
    }
  }

  private mutating func checkPhase(of node: NodeID, now: ContinuousClock.Instant) {
    guard let state = nodes[node] else { return }
    switch state.phase {
    case .waitingToRedial(let time) where now >= time:
      if state.address != nil { dial(node) } else { bringUp(node) }
    case .greeting(let time) where now >= time:
      lose(node, "did not answer; is it a shoal worker?", now: now)
      retryLater(node, now: now)
    default: break
    }
    if let time = state.unfitUntil, now >= time {
      nodes[node]?.unfitUntil = nil
      mustPlan = true
    }
    guard let time = state.prepareDeadline, now >= time else { return }
    let sent = weightsSent(node)
    if sent > state.weightsSent {
      // One large piece on a slow link: it gets on, though no piece is complete.
      nodes[node]?.weightsSent = sent
      let newPrepareDeadline = now + configuration.timeouts.prepare
      nodes[node]?.prepareDeadline = newPrepareDeadline
      return
    }
    let seconds = Int(configuration.timeouts.prepare.seconds)
    let sentence = "the worker \(state.name) did not get on with its weights for \(seconds) seconds"
    if isStrictStart { return failCluster(CoordinatorError(.prepareFailed, node: node, sentence), now: now) }
    giveUp(on: node, sentence, now: now)
  }

  /// Looks for signs of life.
  private mutating func watch(_ node: NodeID, now: ContinuousClock.Instant) {
    guard let state = nodes[node], state.isJoined, let link = state.link else { return }
    guard now >= state.watch.nextLook else { return }
    if let sample = vitals(node, link) { nodes[node]?.watch.count(sample, at: now) }
    switch nodes[node]?.watch.check(now: now) {
    case .ask:
      nonce += 1
      send(.ping(Heartbeat(nonce: nonce, progress: 0, isWorking: false)), to: node)
    case .lost(let reason):
      let sentence = "the worker \(state.name) was lost: it \(reason)"
      if isStrictStart { return failCluster(CoordinatorError(.workerLost, node: node, sentence), now: now) }
      lose(node, reason, now: now)
      retryLater(node, now: now)
    case .fine, nil: break
    }
  }

  /// A strict start has its time.
  private mutating func checkStart(now: ContinuousClock.Instant) {
    guard case .starting = phase, now >= startedAt + configuration.timeouts.reach, transition == nil, !hasWaited
    else { return }
    hasWaited = true
    mustPlan = true
    let missing = nodes.keys.sorted().first { nodes[$0]?.isJoined != true && isNeeded($0) }
    guard let missing, let state = nodes[missing] else { return }
    guard configuration.bringUp == .strict else { return }
    let waited = Int(configuration.timeouts.reach.seconds)
    let message =
      switch state.phase {
      case .awaitingAddress: "the local worker \(missing) did not say within \(waited) seconds where it listens"
      case .greeting: "the worker \(state.name) did not answer within \(waited) seconds; is it a shoal worker?"
      default:
        "the worker \(state.name) cannot be reached (tried for \(waited) seconds): \(state.lastFailure ?? "no answer")"
      }
    failCluster(CoordinatorError(.unreachable, node: missing, message), now: now)
  }

  private mutating func checkTransition(now: ContinuousClock.Instant) {
    guard let change = transition, let deadline = change.deadline, now >= deadline else { return }
    if change.current.phase == .moving {
      // Computing again is sooner after all. Late slabs must not overwrite newer ones, so all switch once more.
      note("keys and values did not move in time; they are computed again")
      mayMoveAfter = now + configuration.timeouts.prepare
      breakUp()
      abandonTransition()
      mustPlan = true
      return
    }
    for node in change.current.awaited.sorted() {
      let sentence = "the worker \(nodes[node]?.name ?? "\(node)") did not switch to its placement"
      if isStrictStart { return failCluster(CoordinatorError(.prepareFailed, node: node, sentence), now: now) }
      lose(node, "did not switch to its placement", now: now)
      retryLater(node, now: now)
    }
  }

  /// A step that is never answered: something is wrong that nobody has noticed. All connections are made anew.
  private mutating func checkSteps(now: ContinuousClock.Instant) {
    let late = steps.values.filter { now >= $0.startedAt + configuration.timeouts.step }.map(\.batch.id).min()
    guard let late else { return }
    note("step \(late) was not answered within \(Int(configuration.timeouts.step.seconds)) seconds")
    breakUp()
    mustPlan = true
  }
}

/// The first of several times.
private struct Earliest {
  /// nil as long as there is none.
  private(set) var time: ContinuousClock.Instant?

  mutating func add(_ other: ContinuousClock.Instant?) {
    guard let other else { return }
    time = time.map { min($0, other) } ?? other
  }
}
