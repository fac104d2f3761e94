import Cluster
import Tensors
import Transport
import Wire

/// Nodes: from an address to a member, and their loss.
extension CoordinatorCore {
  /// Starts a node's worker, or dials it.
  mutating func bringUp(_ node: NodeID) {
    guard let state = nodes[node] else { return }
    if let launch = state.plan.launch {
      nodes[node]?.phase = .awaitingAddress
      directives.append(.startWorker(node, launch))
    } else if state.address != nil {
      dial(node)
    }
  }

  mutating func dial(_ node: NodeID) {
    guard let address = nodes[node]?.address else { return }
    nodes[node]?.phase = .dialing
    if nodes[node]?.failures == 0 { directives.append(.report(.reaching(node, address: "\(address)"))) }
    directives.append(.dial(node, address))
  }

  /// A worker that was just started says where it listens.
  mutating func listens(_ node: NodeID, at address: HostPort) {
    guard let state = nodes[node], state.phase == .awaitingAddress else { return }
    nodes[node]?.address = address
    dial(node)
  }

  /// A worker process of this machine is gone, or could not be started: it is started again, later each time.
  mutating func ended(_ node: NodeID, _ error: CoordinatorError, now: ContinuousClock.Instant) {
    guard nodes[node] != nil else { return }
    if isStrictStart, isNeeded(node) { return failCluster(error, now: now) }
    lose(node, "\(error)", now: now)
    let newAddress = nodes[node]?.plan.address
    nodes[node]?.address = newAddress
    retryLater(node, now: now)
  }

  mutating func opened(_ node: NodeID, _ link: LinkID, now: ContinuousClock.Instant) {
    guard let state = nodes[node], state.link == link, state.phase == .dialing else { return }
    let newPhase = NodeState.Phase.greeting(now + configuration.timeouts.greeting)
    nodes[node]?.phase = newPhase
    nodes[node]?.watch.heard(at: now)
    let hello = Hello(
      role: .coordinator, numericsVersion: configuration.numericsVersion, cluster: configuration.cluster,
      term: configuration.term, node: node, software: configuration.software)
    send(.hello(hello), to: node)
  }

  mutating func closed(_ node: NodeID, _ link: LinkID, _ error: TransportError?, now: ContinuousClock.Instant) {
    guard let state = nodes[node], state.link == link else { return }
    let reason = error.map { "\($0)" } ?? "it closed the connection"
    if isStrictStart, isNeeded(node) {
      if state.isJoined {
        return failCluster(
          CoordinatorError(.workerLost, node: node, "the worker \(state.name) was lost: \(reason)"), now: now)
      }
      if let error, error.isFinal {
        return failCluster(CoordinatorError(.refused, node: node, "the worker \(state.name): \(reason)"), now: now)
      }
    }
    lose(node, reason, now: now)
    retryLater(node, now: now)
  }

  /// Tries to reach a node again, after a pause that grows with its failures.
  mutating func retryLater(_ node: NodeID, now: ContinuousClock.Instant, atLeast pause: Duration = .zero) {
    guard var state = nodes[node] else { return }
    let wait = min(
      configuration.timeouts.redial * Double(1 << min(state.failures, 3)), configuration.timeouts.redial * 10)
    state.failures += 1
    state.phase = .waitingToRedial(now + max(wait, pause))
    nodes[node] = state
  }

  /// A node is gone: what it held is not there any more.
  mutating func lose(_ node: NodeID, _ reason: String, now: ContinuousClock.Instant) {
    guard var state = nodes[node] else { return }
    let wasJoined = state.isJoined
    if let link = state.link {
      links[link] = nil
      directives.append(.close(link))
    }
    state.link = nil
    state.phase = .waitingToRedial(now)
    state.lastFailure = reason
    state.held = []
    state.prepareDeadline = nil
    nodes[node] = state
    stopServingWeights(node)
    book.lose(node)
    guard wasJoined else { return }
    directives.append(.report(.lost(node, reason: reason)))
    mustPlan = true
    if let change = transition, change.current.involved.contains(node) {
      if change.current.isSwitching { breakUp() }
      abandonTransition()
    }
    guard running?.members[node] != nil else { return }
    running?.lose(node)
    if running?.isBroken == true { return interruptSteps() }
    tellHosts(of: node)
  }

  /// Tells the other nodes of the running placement that one is gone, so that replicas take over.
  private mutating func tellHosts(of node: NodeID) {
    guard let running, let index = running.placement.index(of: node) else { return }
    let hosts = Set(running.placement.stages.map { running.placement.nodes[$0.host.rawValue] })
    for host in hosts.sorted() { send(.nodeLost(NodeLost(epoch: running.epoch, node: index)), to: host) }
  }

  mutating func received(
    _ message: ControlMessage, _ header: FrameHeader, from node: NodeID, now: ContinuousClock.Instant
  ) {
    if case .pong(let heartbeat) = message {
      nodes[node]?.watch.answered(progress: heartbeat.progress, isWorking: heartbeat.isWorking, at: now)
      return
    }
    nodes[node]?.watch.heard(at: now)
    switch message {
    case .welcome(let welcome): joined(node, welcome, now: now)
    case .refuse(let refusal): refused(node, refusal, now: now)
    case .progress(let progress): preparing(node, progress, now: now)
    case .prepared(let done): prepared(node, done, now: now)
    case .prepareFailed(let failure): prepareFailed(node, failure, now: now)
    case .peerUnreachable(let report): peerUnreachable(report, from: node, now: now)
    case .activated(let notice): activated(node, notice, now: now)
    case .stepResult(let outcome): stepEnded(outcome, header, from: node, now: now)
    case .stepFailed(let failure): stepFailed(failure, header, from: node, now: now)
    case .peerLost(let loss): peerLost(loss, header, from: node, now: now)
    case .counters(let counters): counted(node, counters)
    case .expertUse(let report): usedExperts(report, from: node, now: now)
    case .ping(let heartbeat): send(.pong(heartbeat), to: node)
    default: violated(node, "sent a \(message.type) message, which only others send", now: now)
    }
  }

  /// A node said something that it should not have: it is let go, and not trusted for a while.
  mutating func violated(_ node: NodeID, _ what: String, now: ContinuousClock.Instant) {
    let name = nodes[node]?.name ?? "\(node)"
    if isStrictStart {
      return failCluster(CoordinatorError(.badAnswer, node: node, "the worker \(name) \(what)"), now: now)
    }
    note("the worker \(name) \(what); it is let go")
    lose(node, what, now: now)
    retryLater(node, now: now, atLeast: configuration.timeouts.mistrust)
  }

  private mutating func refused(_ node: NodeID, _ refusal: Refuse, now: ContinuousClock.Instant) {
    let name = nodes[node]?.name ?? "\(node)"
    if isStrictStart, isNeeded(node) {
      return failCluster(
        CoordinatorError(.refused, node: node, "the worker \(name) refused: \(refusal.sentence)"), now: now)
    }
    if nodes[node]?.lastFailure != refusal.sentence { note("the worker \(name) refused: \(refusal.sentence)") }
    lose(node, refusal.sentence, now: now)
    retryLater(node, now: now, atLeast: .seconds(2))
  }

  private mutating func joined(_ node: NodeID, _ welcome: Welcome, now: ContinuousClock.Instant) {
    guard case .greeting = nodes[node]?.phase else {
      return violated(node, "greeted without being greeted", now: now)
    }
    guard welcome.numericsVersion == configuration.numericsVersion else {
      let sentence =
        "the worker \(nodes[node]?.name ?? "\(node)") has numerics version \(welcome.numericsVersion), this coordinator "
        + "has version \(configuration.numericsVersion): run the same release of shoal on both"
      if isStrictStart { return failCluster(CoordinatorError(.numericsMismatch, node: node, sentence), now: now) }
      if nodes[node]?.lastFailure != sentence { note(sentence) }
      lose(node, sentence, now: now)
      return retryLater(node, now: now, atLeast: configuration.timeouts.mistrust)
    }
    nodes[node]?.phase = .joined
    nodes[node]?.capabilities = welcome.capabilities
    nodes[node]?.lastFailure = nil
    nodes[node]?.unfitUntil = nil
    nodes[node]?.held = []
    // The first look makes the transport begin to count.
    if let link = nodes[node]?.link, let sample = vitals(node, link) { nodes[node]?.watch.count(sample, at: now) }
    nodes[node]?.mayHoldMore = true
    // Whom it could not reach says nothing of a worker that has just come: the other end may have seen its death first.
    apart = apart.filter { $0.key.lower != node && $0.key.higher != node }
    directives.append(.report(.joined(node, welcome.capabilities)))
    mustPlan = true
  }

  private mutating func peerLost(
    _ loss: PeerLost, _ header: FrameHeader, from node: NodeID, now: ContinuousClock.Instant
  ) {
    if let change = transition, header.epoch == change.current.epoch, change.current.isSwitching {
      // The connections it needs broke just when it switched.
      note("\(node) has lost a connection while it switched: \(loss.sentence)")
      breakUp()
      abandonTransition()
      mustPlan = true
      return
    }
    guard let running, header.epoch == running.epoch else { return }
    guard running.placement.nodes.indices.contains(loss.node.rawValue) else {
      return violated(node, "lost a peer that does not exist (\(loss.node))", now: now)
    }
    let peer = running.placement.nodes[loss.node.rawValue]
    guard nodes[peer]?.link == running.members[peer], nodes[peer]?.isJoined == true, !running.isBroken else { return }
    note("\(node) has lost its connection to \(peer): \(loss.sentence)")
    mustPlan = true
    if running.canDo(without: peer, on: node) {
      self.running?.isStale = true
    } else {
      self.running?.isBroken = true
      interruptSteps()
    }
  }

  mutating func stopServingWeights(_ node: NodeID) {
    guard nodes[node]?.isServedWeights == true else { return }
    nodes[node]?.isServedWeights = false
    directives.append(.stopServingWeights(node))
  }

  /// Whether a failure now is the end: a strict coordinator has not come up yet.
  var isStrictStart: Bool {
    guard case .starting = phase else { return false }
    return configuration.bringUp == .strict
  }

  /// Whether the wished for placement needs the node.
  func isNeeded(_ node: NodeID) -> Bool {
    guard let index = desired.placement.index(of: node) else { return false }
    return desired.placement.participants.contains(index)
  }

  /// Ends a start that failed: every job fails with the error, the workers are let go. The first error counts.
  mutating func failCluster(_ error: CoordinatorError, now: ContinuousClock.Instant) {
    switch phase {
    case .failed, .stopped: return
    case .starting, .running: break
    }
    phase = .failed(error)
    directives.append(.report(.failed(error)))
    failJobs(error)
    transition = nil
    for node in nodes.keys.sorted() {
      stopServingWeights(node)
      guard let link = nodes[node]?.link else { continue }
      nodes[node]?.link = nil
      links[link] = nil
      directives.append(.close(link))
    }
  }
}

extension TransportError {
  /// Whether another try would end the same way.
  var isFinal: Bool { code == .versionMismatch || code == .protocolViolation }
}
