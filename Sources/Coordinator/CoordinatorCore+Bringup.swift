import Cluster
import Tensors
import Transport
import Wire

/// Nodes: from an address to a member that runs steps, and their loss.
extension CoordinatorCore {
  mutating func dial(_ index: Int) {
    guard let address = nodes[index].address else { return }
    nodes[index].phase = .dialing
    directives.append(.report(.reaching(nodes[index].id, address: "\(address)")))
    directives.append(.dial(NodeIndex(index), address))
  }

  /// A worker that was just started says where it listens.
  mutating func listens(_ index: Int, at address: HostPort) {
    guard nodes.indices.contains(index), nodes[index].phase == .awaitingAddress, case .starting = phase else { return }
    nodes[index].address = address
    dial(index)
  }

  /// A worker process of this machine is gone.
  mutating func ended(_ index: Int, _ error: CoordinatorError, now: ContinuousClock.Instant) {
    guard nodes.indices.contains(index), !nodes[index].isSpare else { return }
    failCluster(error, now: now)
  }

  mutating func opened(_ index: Int, _ link: LinkID, now: ContinuousClock.Instant) {
    guard nodes[index].link == link, nodes[index].phase == .dialing else { return }
    nodes[index].phase = .greeting
    nodes[index].heardAt = now
    let hello = Hello(
      role: .coordinator, numericsVersion: configuration.numericsVersion, cluster: configuration.cluster,
      term: configuration.term, node: nodes[index].id, software: configuration.software)
    send(.hello(hello), toNode: index)
  }

  mutating func closed(_ index: Int, _ link: LinkID, _ error: TransportError?, now: ContinuousClock.Instant) {
    guard nodes[index].link == link else { return }
    nodes[index].link = nil
    let reason = error.map { "\($0)" } ?? "it closed the connection"
    guard !nodes[index].isMember else {
      return failCluster(
        CoordinatorError(.workerLost, node: nodes[index].id, "the worker \(nodes[index].name) was lost: \(reason)"),
        now: now)
    }
    guard case .starting = phase else { return }
    if let error, error.isFinal {
      return failCluster(
        CoordinatorError(.refused, node: nodes[index].id, "the worker \(nodes[index].name): \(reason)"), now: now)
    }
    nodes[index].lastFailure = reason
    nodes[index].phase = .waitingToRedial(now + configuration.timeouts.redial)
  }

  mutating func received(
    _ message: ControlMessage, _ header: FrameHeader, from index: Int, now: ContinuousClock.Instant
  ) {
    nodes[index].heardAt = now
    nodes[index].unansweredPings = 0
    switch message {
    case .welcome(let welcome): joined(index, welcome, now: now)
    case .refuse(let refusal):
      failCluster(
        CoordinatorError(
          .refused, node: nodes[index].id, "the worker \(nodes[index].name) refused: \(refusal.sentence)"), now: now)
    case .progress(let progress): preparing(index, progress, now: now)
    case .prepared(let done): prepared(index, done, now: now)
    case .prepareFailed(let failure):
      guard failure.epoch == epoch else { return }
      failCluster(
        CoordinatorError(
          .prepareFailed, node: nodes[index].id,
          "the worker \(nodes[index].name) could not get ready: \(failure.sentence)"), now: now)
    case .activated(let notice): activated(index, notice, now: now)
    case .stepResult(let outcome): stepEnded(outcome, header, from: index, now: now)
    case .stepFailed(let failure): stepFailed(failure, header, from: index, now: now)
    case .peerLost(let loss): peerLost(loss, from: index, now: now)
    case .counters(let counters): counted(index, counters)
    case .pong: break
    case .ping(let heartbeat): send(.pong(heartbeat), toNode: index)
    default: violated(index, "sent a \(message.type) message, which only others send", now: now)
    }
  }

  /// A node said something that it should not have.
  mutating func violated(_ index: Int, _ what: String, now: ContinuousClock.Instant) {
    failCluster(
      CoordinatorError(.badAnswer, node: nodes[index].id, "the worker \(nodes[index].name) \(what)"), now: now)
  }

  private var epoch: PlacementEpoch { configuration.placement.epoch }

  private mutating func joined(_ index: Int, _ welcome: Welcome, now: ContinuousClock.Instant) {
    guard nodes[index].phase == .greeting else {
      return violated(index, "greeted without being greeted", now: now)
    }
    guard welcome.numericsVersion == configuration.numericsVersion else {
      let error = CoordinatorError(
        .numericsMismatch, node: nodes[index].id,
        "the worker \(nodes[index].name) has numerics version \(welcome.numericsVersion), this coordinator has "
          + "version \(configuration.numericsVersion): run the same release of shoal on both")
      return failCluster(error, now: now)
    }
    nodes[index].phase = .joined
    directives.append(.report(.joined(nodes[index].id, welcome.capabilities)))
    if nodes.allSatisfy({ $0.isSpare || $0.phase == .joined }) { prepareAll(now: now) }
  }

  private mutating func prepareAll(now: ContinuousClock.Instant) {
    phase = .preparing
    let addresses = nodes.map { $0.addressForPeers.map { "\($0)" } ?? "" }
    for index in nodes.indices where !nodes[index].isSpare {
      nodes[index].phase = .preparing
      nodes[index].deadline = now + configuration.timeouts.prepare
      if let address = nodes[index].address {
        nodes[index].isServedWeights = true
        directives.append(.serveWeights(NodeIndex(index), address))
      }
      let prepare = Prepare(
        model: configuration.model.id, headerDigest: configuration.model.header.digest,
        headerByteCount: configuration.model.header.byteCount, kvType: configuration.kvType,
        combine: configuration.combine, context: configuration.context, sequences: configuration.sequences,
        subBatchRows: configuration.subBatchRows, node: NodeIndex(index), placement: configuration.placement,
        addresses: addresses, pieces: nodes[index].plan.pieces)
      send(.prepare(prepare), toNode: index)
    }
  }

  private mutating func preparing(_ index: Int, _ progress: Progress, now: ContinuousClock.Instant) {
    guard progress.epoch == epoch, nodes[index].phase == .preparing else { return }
    if progress.bytesDone > nodes[index].bytesDone {
      nodes[index].bytesDone = progress.bytesDone
      nodes[index].deadline = now + configuration.timeouts.prepare
    }
    directives.append(.report(.progress(nodes[index].id, progress)))
  }

  private mutating func prepared(_ index: Int, _ done: Prepared, now: ContinuousClock.Instant) {
    guard done.epoch == epoch, nodes[index].phase == .preparing else { return }
    nodes[index].phase = .prepared
    stopServingWeights(index)
    directives.append(.report(.prepared(nodes[index].id, bytesMoved: done.bytesMoved)))
    guard nodes.allSatisfy({ $0.isSpare || $0.phase == .prepared }) else { return }
    phase = .activating
    for index in nodes.indices where !nodes[index].isSpare {
      nodes[index].phase = .activating
      nodes[index].deadline = now + configuration.timeouts.activate
      send(.activate(EpochNotice(epoch: epoch)), toNode: index)
    }
  }

  private mutating func activated(_ index: Int, _ notice: EpochNotice, now: ContinuousClock.Instant) {
    guard notice.epoch == epoch, nodes[index].phase == .activating else { return }
    nodes[index].phase = .active
    guard nodes.allSatisfy({ $0.isSpare || $0.phase == .active }) else { return }
    phase = .running
    let stages = configuration.placement.stages.count
    directives.append(.report(.ready(nodes: nodes.count { !$0.isSpare }, stages: stages)))
    if jobs.isEmpty { takeIdleReading() }
  }

  private mutating func peerLost(_ loss: PeerLost, from index: Int, now: ContinuousClock.Instant) {
    guard nodes.indices.contains(loss.node.rawValue) else {
      return violated(index, "lost a peer that does not exist (\(loss.node))", now: now)
    }
    let lost = nodes[loss.node.rawValue]
    failCluster(
      CoordinatorError(
        .workerLost, node: lost.id, "the worker \(lost.name) was lost, says \(nodes[index].id): \(loss.sentence)"),
      now: now)
  }

  mutating func stopServingWeights(_ index: Int) {
    guard nodes[index].isServedWeights else { return }
    nodes[index].isServedWeights = false
    directives.append(.stopServingWeights(NodeIndex(index)))
  }

  /// Takes the cluster down: every job fails with the error, the workers are let go. The first error counts.
  mutating func failCluster(_ error: CoordinatorError, now: ContinuousClock.Instant) {
    switch phase {
    case .failed, .stopped: return
    case .starting, .preparing, .activating, .running: break
    }
    phase = .failed(error)
    directives.append(.report(.failed(error)))
    failJobs(error)
    for index in nodes.indices {
      stopServingWeights(index)
      guard let link = nodes[index].link else { continue }
      nodes[index].link = nil
      links[link] = nil
      directives.append(.close(link))
    }
  }
}

extension TransportError {
  /// Whether another try would end the same way.
  var isFinal: Bool { code == .versionMismatch || code == .protocolViolation }
}
