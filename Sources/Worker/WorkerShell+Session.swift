import Cluster
import Engine
import Kernels
import Logging
import ModelGraph
import Tensors
import Transport
import Wire

extension WorkerShell {
  /// A control message from any link; only hello may come from a stranger.
  func handle(_ message: ControlMessage, _ header: FrameHeader, on link: LinkID) {
    if case .hello(let hello) = message { return greet(hello, on: link) }
    guard let session, session.link == link else {
      logger.warning("a connection spoke before it said who it is", metadata: ["message": "\(message.type)"])
      return drop(link, because: "say hello first")
    }
    guard header.term == session.term else {
      logger.warning("a message of another term is ignored", metadata: ["term": "\(header.term)"])
      return
    }
    obey(message, session, under: header.epoch)
  }

  private func obey(_ message: ControlMessage, _ session: Session, under epoch: PlacementEpoch) {
    switch message {
    case .prepare(let order): prepare(order)
    case .activate(let notice): activate(notice)
    case .moveKeyValues(let notice): exportKeyValues(notice.epoch)
    case .nodeLost(let loss): nodeLost(loss)
    case .release(let notice): release(notice.epoch)
    case .useRequest: reportUse()
    case .step(let start): begin(start, under: epoch)
    case .countersRequest: send(.counters(processCounters().since(session.earlier)))
    case .ping(let heartbeat):
      send(.pong(Heartbeat(nonce: heartbeat.nonce, progress: configuration.pulse.count, isWorking: false)))
    case .shutdown: stop()
    default: drop(session.link, because: "a worker does not take \(message.type) messages")
    }
  }

  // MARK: - Handshake

  private func greet(_ hello: Hello, on link: LinkID) {
    // A link that was refused may still speak while it closes.
    guard strangers.removeValue(forKey: link) != nil || session?.link == link else { return }
    guard hello.role == .coordinator else {
      return drop(link, because: "this is a worker; clients talk to a coordinator (shoal serve)")
    }
    guard hello.numericsVersion == Kernels.numericsVersion else {
      return drop(
        link,
        because: "the coordinator computes with numerics version \(hello.numericsVersion), the worker "
          + "\(configuration.name) with version \(Kernels.numericsVersion): run the same release of shoal on both")
    }
    if let session {
      guard session.link != link else { return drop(link, because: "a connection says hello once") }
      guard session.cluster == hello.cluster, hello.term > session.term else {
        return drop(
          link,
          because: "the worker \(session.node) serves cluster \(session.cluster) (term \(session.term)); cluster "
            + "\(hello.cluster) (term \(hello.term)) is refused while that connection lives")
      }
      logger.notice("a newer coordinator takes over", metadata: ["term": "\(hello.term)"])
      drop(
        session.link,
        because: "a newer coordinator of cluster \(hello.cluster) (term \(hello.term)) took the worker over")
    }
    session = Session(
      link: link, cluster: hello.cluster, term: hello.term, node: hello.node, earlier: processCounters())
    shelf.serve(hello.cluster)
    logger.info(
      "serving a coordinator", metadata: ["cluster": "\(hello.cluster)", "node": "\(hello.node)"])
    send(
      .welcome(
        Welcome(
          numericsVersion: Kernels.numericsVersion, node: hello.node, capabilities: capabilities, model: heldModel)))
  }

  private var capabilities: NodeCapabilities {
    NodeCapabilities(
      instructionSet: configuration.kernels.instructionSet.rawValue, cores: team.threadCount,
      memoryBytes: configuration.memoryLimit ?? configuration.machineMemory, readBandwidth: 0,
      software: configuration.software)
  }

  /// Tells a link why it is not wanted and closes it.
  func drop(_ link: LinkID, because sentence: String) {
    logger.notice("connection refused", metadata: ["reason": "\(sentence)"])
    control.send(
      .refuse(Refuse(code: 0, sentence: sentence)), epoch: PlacementEpoch(rawValue: 0),
      term: CoordinatorTerm(rawValue: 0), on: link)
    if session?.link == link { endSession() }
    control.close(link)
  }

  func closed(_ link: LinkID, _ error: TransportError?) {
    strangers[link] = nil
    guard session?.link == link else { return }
    logger.info(
      "the coordinator's connection ended; weights stay in memory",
      metadata: error.map { ["reason": "\($0)"] } ?? [:])
    endSession()
  }

  /// Ends what belongs to the coordinator; the weights stay.
  private func endSession() {
    session = nil
    shelf.serve(nil)
    preparing = nil
    // Nobody waits for what is still on its way; what is in memory stays.
    loader.cancel()
    endPlacement()
  }

  /// Ends the running placement, if there is one.
  func endPlacement() {
    earlierExchanges &+= running?.engine.exchanges ?? 0
    running = nil
  }

  /// What this process has sent and done so far.
  private func processCounters() -> NodeCounters {
    var counters = NodeCounters()
    counters.traffic = control.counters + data.counters + (configuration.weights?.counters ?? TrafficCounters())
    counters.traffic = counters.traffic + configuration.pieceCounters()
    counters.traffic.roundTrips = earlierExchanges &+ (running?.engine.exchanges ?? 0)
    counters.decode = meter.decode
    counters.prefill = meter.prefill
    counters.peakMemoryBytes = configuration.peakMemory()
    return counters
  }
}

extension NodeCounters {
  /// What came on top of what the same process had counted earlier; the most memory is that of its whole life.
  fileprivate func since(_ earlier: NodeCounters) -> NodeCounters {
    var difference = self
    difference.traffic = traffic - earlier.traffic
    difference.decode = decode - earlier.decode
    difference.prefill = prefill - earlier.prefill
    return difference
  }
}
