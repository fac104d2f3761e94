import Transport
import Cluster
import Scheduling
import Tensors
import Wire

/// From one placement to the next: prepared in the background, switched between two steps.
extension CoordinatorCore {
  mutating func preparing(_ node: NodeID, _ progress: Progress, now: ContinuousClock.Instant) {
    guard let transition, progress.epoch == transition.current.epoch, let state = nodes[node] else { return }
    if progress.bytesDone > state.bytesDone {
      nodes[node]?.bytesDone = progress.bytesDone
      let newPrepareDeadline = now + configuration.timeouts.prepare
      nodes[node]?.prepareDeadline = newPrepareDeadline
    }
    directives.append(.report(.progress(node, progress)))
  }

  mutating func prepared(_ node: NodeID, _ done: Prepared, now: ContinuousClock.Instant) {
    guard var change = transition, done.epoch == change.current.epoch, change.current.awaited.contains(node) else {
      return
    }
    nodes[node]?.prepareDeadline = nil
    nodes[node]?.failures = 0
    let gained = change.current.placement.pieces(of: node, facts: configuration.model.facts)
    nodes[node]?.held.formUnion(gained)
    stopServingWeights(node)
    change.bytesMoved += done.bytesMoved
    directives.append(.report(.prepared(node, bytesMoved: done.bytesMoved)))
    if change.current.prepared(node) { change.quietSince = now }
    transition = change
  }

  mutating func prepareFailed(_ node: NodeID, _ failure: PrepareFailed, now: ContinuousClock.Instant) {
    guard let change = transition, failure.epoch == change.current.epoch else { return }
    let name = nodes[node]?.name ?? "\(node)"
    let sentence = "the worker \(name) could not get ready: \(failure.sentence)"
    if isStrictStart { return failCluster(CoordinatorError(.prepareFailed, node: node, sentence), now: now) }
    stopServingWeights(node)
    nodes[node]?.held = []
    giveUp(on: node, sentence, now: now)
  }

  /// A node cannot get ready: while something runs, that goes on and the change is tried again later; else others have to
  /// do without that node for a while.
  mutating func giveUp(on node: NodeID, _ sentence: String, now: ContinuousClock.Instant) {
    note(sentence)
    if transition?.current.isSwitching == true { breakUp() }
    abandonTransition()
    if let running, !running.isBroken {
      pausedUntil = now + configuration.timeouts.mistrust
      wait(for: sentence)
    } else {
      let newUnfitUntil = now + configuration.timeouts.mistrust
      nodes[node]?.unfitUntil = newUnfitUntil
      nodes[node]?.lastFailure = sentence
    }
    mustPlan = true
  }

  /// Two nodes that a placement wants to talk cannot reach each other.
  mutating func peerUnreachable(_ report: PeerUnreachable, from node: NodeID, now: ContinuousClock.Instant) {
    guard let change = transition, report.epoch == change.current.epoch,
      change.current.placement.nodes.indices.contains(report.node.rawValue)
    else { return }
    let peer = change.current.placement.nodes[report.node.rawValue]
    let sentence = "\(node) cannot reach \(peer): \(report.sentence)"
    if isStrictStart {
      return failCluster(CoordinatorError(.unreachable, node: peer, "the worker \(sentence)"), now: now)
    }
    guard node != peer, change.current.phase == .preparing else { return }
    wait(for: sentence)
    // What runs goes on until the connection can be made after all.
    if let running, !running.isBroken, !running.isStale { return }
    apart[NodePair(node, peer)] = now + configuration.timeouts.mistrust
    abandonTransition()
    mustPlan = true
  }

  /// Some nodes have switched and others have not: nothing can run until all are brought together again, and whoever has
  /// switched may have dropped what it was host of.
  mutating func breakUp() {
    running?.isBroken = true
    running?.hasKeyValues = false
    // Who has switched has dropped what it held before; what is in memory after all is found there.
    for node in transition?.current.involved ?? [] { nodes[node]?.held = [] }
    interruptSteps()
  }

  /// Gives up the change that is under way; what runs, runs on. What was loaded beside it is given back
  /// when nothing more is to change.
  mutating func abandonTransition() {
    guard transition != nil else { return }
    transition = nil
    for node in nodes.keys.sorted() {
      nodes[node]?.prepareDeadline = nil
      stopServingWeights(node)
    }
  }

  /// Goes on with a change when its time has come.
  mutating func advanceTransition(now: ContinuousClock.Instant) {
    guard let change = transition, let deadline = drainDeadline(of: change) else { return }
    guard steps.isEmpty || now >= deadline else { return }
    interruptSteps()
    activate(change, now: now)
  }

  /// Until when a change waits for the steps under way: each has the time from when no step is started any more, or from
  /// its own beginning if that came later, as with one that was sent ahead. nil while it does not wait for them.
  func drainDeadline(of change: PlacementTransition) -> ContinuousClock.Instant? {
    guard change.current.phase == .ready, let quietSince = change.quietSince else { return nil }
    return steps.values.reduce(quietSince) { max($0, $1.startedAt) } + configuration.timeouts.drain
  }

  private mutating func activate(_ ready: PlacementTransition, now: ContinuousClock.Instant) {
    var change = ready
    change.movesKeyValues = !change.moves.isEmpty && mayMoveAfter.map { $0 <= now } ?? true && isWorthMoving(change)
    let targets = change.movesKeyValues ? change.moves.map { change.current.placement.nodes[$0.target.rawValue] } : []
    change.current.begin(movingTo: Set(targets))
    change.deadline = now + configuration.timeouts.activate
    if change.movesKeyValues { change.deadline = change.deadline.map { $0 + .seconds(4 * moveSeconds(change)) } }
    transition = change
    let message = Activate(epoch: change.current.epoch, movesKeyValues: change.movesKeyValues)
    for node in change.current.involved.sorted() { send(.activate(message), to: node) }
  }

  /// Whether moving keys and values is sooner done than computing them again, and of any use: all of them must be
  /// somewhere.
  private func isWorthMoving(_ change: PlacementTransition) -> Bool {
    guard let running, !running.isBroken, running.hasKeyValues else { return false }
    let next = change.current.placement
    let isComplete = next.stages.allSatisfy { stage in
      stage.layers.allSatisfy { layer in
        guard let host = running.host(of: layer) else { return false }
        return nodes[host.node]?.link == host.link
      }
    }
    guard isComplete else { return false }
    guard moveBytes(change) <= Double(DataLimits.backlogBytes / 4) else { return false }
    let rebuild = Double(scheduler.cachedPositions) / speed.rowsPerSecond
    return moveSeconds(change) < rebuild
  }

  private func moveSeconds(_ change: PlacementTransition) -> Double {
    moveBytes(change) / PrefillSpeed.linkBytesPerSecond
  }

  private func moveBytes(_ change: PlacementTransition) -> Double {
    let bytes = change.moves.reduce(0) { sum, move in
      sum + move.layers.reduce(0) { $0 + configuration.model.sizes.keyValueBytes($1) }
    }
    return Double(bytes) * Double(scheduler.cachedPositions)
  }

  mutating func activated(_ node: NodeID, _ notice: Activated, now: ContinuousClock.Instant) {
    guard var change = transition, notice.epoch == change.current.epoch else { return }
    guard change.current.activated(node, hasKeyValues: notice.hasKeyValues) else {
      transition = change
      return
    }
    transition = change
    guard change.current.phase == .moving else { return finish(change, now: now) }
    let notice = EpochNotice(epoch: change.current.epoch)
    for source in Set(change.moves.map(\.source)).sorted() {
      send(.moveKeyValues(notice), to: change.current.placement.nodes[source.rawValue])
    }
  }

  /// Everyone has switched.
  private mutating func finish(_ change: PlacementTransition, now: ContinuousClock.Instant) {
    let next = change.current.placement
    let keepsKeyValues = change.current.hasKeyValues && hasAllKeyValues(next, moved: change.movesKeyValues)
    if keepsKeyValues { scheduler.reopen() } else { scheduler.rebuild() }
    scheduler.setStageCount(next.stages.count)
    // What the nodes have made room for; an edit since then comes with the next switch.
    if change.sequences != scheduler.configuration.sequences { scheduler.resize(sequences: change.sequences) }
    var members: [NodeID: LinkID] = [:]
    for node in change.current.involved {
      members[node] = nodes[node]?.link
      let newHeld = next.pieces(of: node, facts: configuration.model.facts)
      nodes[node]?.held = newHeld
      nodes[node]?.mayHoldMore = false
    }
    running = RunningPlacement(placement: next, members: members)
    transition = nil
    mustPlan = true
    let pause = change.quietSince.map { now - $0 } ?? .zero
    directives.append(
      .report(
        .switched(
          next.epoch, pause: pause, bytesMoved: change.bytesMoved, keepsKeyValues: keepsKeyValues)))
    if case .starting = phase { announceReady(next) }
    guard !change.rest.isEmpty else {
      waitingFor = nil
      return
    }
    prepare(change.rest[0], rest: Array(change.rest.dropFirst()), sequences: change.sequences, now: now)
  }

  private mutating func announceReady(_ placement: Placement) {
    phase = .running
    directives.append(.report(.ready(nodes: placement.participants.count, stages: placement.stages.count)))
    if jobs.isEmpty { takeIdleReading() }
  }

  /// Whether the host of each layer had its keys and values before, or got them.
  private func hasAllKeyValues(_ next: Placement, moved: Bool) -> Bool {
    guard let running, running.hasKeyValues else { return false }
    return next.stages.allSatisfy { stage in
      let host = next.nodes[stage.host.rawValue]
      return stage.layers.allSatisfy { layer in
        guard let old = running.host(of: layer), nodes[old.node]?.link == old.link else { return false }
        return old.node == host || moved
      }
    }
  }
}
