import Cluster
public import JobStore
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
  /// What the worker's connection has carried; nil when it has none.
  func vitals(of node: NodeID) -> LinkVitals?
}

extension WeightSupply {
  public func vitals(of node: NodeID) -> LinkVitals? { nil }
}

/// Starts and ends workers of this machine; what becomes of them comes through the coordinator's handle.
public protocol LocalNodes {
  /// Starts a node's worker.
  /// - Parameter arguments: everything behind the name of the program.
  func start(_ node: NodeID, arguments: [String])
  /// Ends a node's worker; nothing happens when none runs.
  func stop(_ node: NodeID)
}

/// Writes down what durable jobs must not lose, in the order of the calls.
public protocol JobJournal {
  /// - Parameter done: called once the entries are on disk, or with the reason why they cannot be; on any thread.
  func write(_ entries: [JournalEntry], done: @escaping @Sendable (JournalError?) -> Void)
  /// Keeps the bytes of the topology that was accepted last.
  func keepTopology(_ bytes: [UInt8])
  /// Waits until everything is written.
  func flush()
}

/// The coordinator's loop: events in, directives out. Belongs to one thread; everything else talks to its handle.
public final class CoordinatorShell {
  /// Takes jobs in, from any thread.
  public let handle: CoordinatorHandle
  private let configuration: CoordinatorConfiguration
  private let plane: any ControlPlane
  private let weights: any WeightSupply
  private let local: (any LocalNodes)?
  private let journal: (any JobJournal)?
  private let status: (CoordinatorStatus) -> Void
  private(set) var core: CoordinatorCore?
  private(set) var sinks: [JobID: JobSink] = [:]

  /// Events handled in one round.
  private static let eventsPerRound = 256

  /// - Parameters:
  ///   - handle: the one whose `controlSink` the plane was made with.
  ///   - local: starts the nodes that the topology gives to this machine; nil when there are none.
  ///   - journal: for durable jobs; without it they are refused.
  ///   - status: told how the cluster gets on, on the shell's thread.
  public init(
    handle: CoordinatorHandle, configuration: CoordinatorConfiguration, plane: any ControlPlane,
    weights: any WeightSupply, local: (any LocalNodes)? = nil, journal: (any JobJournal)? = nil,
    status: @escaping (CoordinatorStatus) -> Void = { _ in }
  ) {
    self.handle = handle
    self.configuration = configuration
    self.plane = plane
    self.weights = weights
    self.local = local
    self.journal = journal
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
    finish()
  }

  /// Refuses what still comes, once it is stopped, and waits until everything is written.
  public func finish() {
    handle.mailbox.close()
    while handle.mailbox.count > 0 { advance(now: .now) }
    journal?.flush()
  }

  private func begin(now: ContinuousClock.Instant) -> Bool {
    guard core == nil else { return false }
    var core = CoordinatorCore(configuration, now: now)
    core.vitals = { [plane, weights] node, link in
      plane.vitals(of: link).map { NodeWatch.Sample($0, weights.vitals(of: node)) }
    }
    core.weightsSent = { [weights] node in weights.vitals(of: node)?.bytesAcknowledged ?? 0 }
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
      case .send(let message, let epoch, let link):
        plane.send(message, epoch: epoch, term: configuration.term, on: link)
      case .close(let link): plane.close(link)
      case .serveWeights(let node, let address): weights.serve(node, at: address)
      case .stopServingWeights(let node): weights.stop(node)
      case .startWorker(let node, let arguments): local?.start(node, arguments: arguments)
      case .stopWorker(let node): local?.stop(node)
      case .deliver(let event, let job): deliver(event, job)
      case .report(let report): status(report)
      case .readCounters: handle(.ownCounters(plane.counters + weights.counters), now: now)
      case .journal(let entries, let ticket): write(entries, ticket)
      case .keepTopology(let bytes): journal?.keepTopology(bytes)
      }
    }
  }

  private func write(_ entries: [JournalEntry], _ ticket: UInt64) {
    guard let journal else {
      let error = JournalError(.notWritable, "this coordinator keeps no jobs; shoal serve does")
      return handle.journaled(ticket, error)
    }
    journal.write(entries) { [handle] error in handle.journaled(ticket, error) }
  }

  private func deliver(_ event: JobEvent, _ job: JobID) {
    guard let sink = sinks[job] else { return }
    if event.isLast { sinks[job] = nil }
    sink(event)
  }
}

extension NodeWatch.Sample {
  /// What the transport has counted of a node's two connections.
  init(_ control: LinkVitals, _ weights: LinkVitals?) {
    self.init(
      received: control.bytesReceived + (weights?.bytesReceived ?? 0),
      acknowledged: control.bytesAcknowledged + (weights?.bytesAcknowledged ?? 0),
      pending: Int(clamping: control.bytesPending + (weights?.bytesPending ?? 0)))
  }
}
