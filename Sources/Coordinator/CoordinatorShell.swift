import Cluster
public import Tensors
public import Transport
public import Wire

/// Offers the model's pieces to workers.
///
/// Behind it stand sockets and files; what it does for one worker never delays another, or the caller.
public protocol WeightSupply {
  /// Connects to the worker that listens at `address` and answers its requests, until `stop`.
  func serve(_ node: NodeID, at address: HostPort)
  /// Lets the worker go.
  func stop(_ node: NodeID)
  /// What was sent, in `weightBytes` and `weightFrames`.
  var counters: TrafficCounters { get }
}

/// The coordinator's loop: events in, directives out. Belongs to one thread; everything else talks to its handle.
public final class CoordinatorShell {
  /// Takes jobs in, from any thread.
  public let handle: CoordinatorHandle
  private let configuration: CoordinatorConfiguration
  private let plane: any ControlPlane
  private let weights: any WeightSupply
  private let status: (CoordinatorStatus) -> Void
  private(set) var core: CoordinatorCore?
  private(set) var sinks: [JobID: JobSink] = [:]

  /// Events handled in one round.
  private static let eventsPerRound = 256

  /// - Parameters:
  ///   - handle: the one whose `controlSink` the plane was made with.
  ///   - status: told how the cluster gets on, on the shell's thread.
  public init(
    handle: CoordinatorHandle, configuration: CoordinatorConfiguration, plane: any ControlPlane,
    weights: any WeightSupply, status: @escaping (CoordinatorStatus) -> Void = { _ in }
  ) {
    self.handle = handle
    self.configuration = configuration
    self.plane = plane
    self.weights = weights
    self.status = status
  }

  /// Whether it was stopped; nothing happens any more then.
  public var isStopped: Bool { core?.isStopped ?? false }

  /// When `advance` is due, should nothing happen before; nil for never.
  public var nextDeadline: ContinuousClock.Instant? { core?.nextDeadline }

  /// One round: handles what waits, and what is due at `now`. Returns whether anything was done.
  @discardableResult
  public func advance(now: ContinuousClock.Instant) -> Bool {
    var hasWorked = begin(now: now)
    for link in handle.takeOverrunLinks() { plane.close(link) }
    var count = 0
    while count < Self.eventsPerRound, let item = handle.mailbox.take() {
      count += 1
      switch item {
      case .event(let event): handle(event, now: now)
      case .submit(let job, let request, let sink):
        guard !isStopped else {
          sink(.failed(CoordinatorError(.stopped, "the coordinator has stopped")))
          continue
        }
        sinks[job] = sink
        handle(.submit(job, request), now: now)
      }
    }
    if count > 0 { hasWorked = true }
    if count == 0, let deadline = nextDeadline, now >= deadline {
      handle(.tick, now: now)
      hasWorked = true
    }
    return hasWorked
  }

  /// Goes round until it is stopped, waiting whenever there is nothing to do.
  public func run() {
    while !isStopped {
      if !advance(now: .now) { handle.mailbox.wait(until: nextDeadline) }
    }
    handle.mailbox.close()
    while handle.mailbox.count > 0 { advance(now: .now) }
  }

  private func begin(now: ContinuousClock.Instant) -> Bool {
    guard core == nil else { return false }
    var core = CoordinatorCore(configuration, now: now)
    let directives = core.start(now: now)
    self.core = core
    perform(directives, now: now)
    return true
  }

  private func handle(_ event: CoordinatorEvent, now: ContinuousClock.Instant) {
    guard let directives = core?.handle(event, now: now) else { return }
    perform(directives, now: now)
  }

  private func perform(_ directives: [CoordinatorDirective], now: ContinuousClock.Instant) {
    for directive in directives {
      switch directive {
      case .dial(let node, let address):
        core?.dialed(node, plane.dial(address, timeout: configuration.timeouts.reach))
      case .send(let message, let link):
        plane.send(message, epoch: configuration.placement.epoch, term: configuration.term, on: link)
      case .close(let link): plane.close(link)
      case .serveWeights(let node, let address): weights.serve(name(of: node), at: address)
      case .stopServingWeights(let node): weights.stop(name(of: node))
      case .deliver(let event, let job): deliver(event, job)
      case .report(let report): status(report)
      case .readCounters: handle(.ownCounters(plane.counters + weights.counters), now: now)
      }
    }
  }

  /// Where a node stands in the placement; the first one for a node that is not in it.
  func index(of node: NodeID?) -> NodeIndex {
    NodeIndex(configuration.nodes.firstIndex { $0.id == node } ?? 0)
  }

  private func name(of node: NodeIndex) -> NodeID { configuration.nodes[node.rawValue].id }

  private func deliver(_ event: JobEvent, _ job: JobID) {
    guard let sink = sinks[job] else { return }
    if event.isLast { sinks[job] = nil }
    sink(event)
  }
}
