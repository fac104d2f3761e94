import Cluster
import Engine
import Kernels
public import Logging
import ModelGraph
import ModelSpec
public import Tensors
public import Transport
import Wire

/// What reaches a worker from outside its thread.
public enum WorkerEvent: Sendable {
  case control(ControlEvent)
  case share(ShareEvent)
  /// Stop the loop.
  case stop
}

/// A worker: one loop on the engine's thread. It drains its mailbox, polls the data plane, and does one piece of engine
/// work at a time; it decides nothing on its own but obeys one coordinator.
///
/// While a coordinator's connection lives, another one is refused, unless it is the same cluster's with a higher term.
/// Weights stay in memory when the connection is lost.
public final class WorkerShell {
  let configuration: WorkerConfiguration
  let control: any ControlPlane
  let data: any DataPlane
  let loader: any ShareLoading
  let arena: WeightArena
  let team: ThreadTeam
  let logger: Logger
  /// Where the engine's time goes, under all placements.
  let meter: WorkMeter
  let mailbox: Mailbox<WorkerEvent>

  /// The coordinator this worker obeys.
  var session: Session?
  /// Connections that have not said who they are, and until when they may take.
  var strangers: [LinkID: ContinuousClock.Instant] = [:]
  /// Weights in memory, for the next placement that wants them.
  var held: [PieceID: HeldPiece] = [:]
  /// Keeps them in the store, for as long as they are in memory.
  var heldPins: StorePins?
  /// The same, for other workers.
  let shelf: PieceShelf
  /// What the model's headers say, and their hash.
  var heldHeader: (digest: Digest, spec: ModelSpec)?
  /// The model whose weights are held.
  var heldModel: Digest?
  /// Requests that the loader was given.
  var shareRequests = 0
  /// Exchanges begun under placements that have ended.
  var earlierExchanges: UInt64 = 0
  /// A placement that is being prepared, or is ready to be switched to.
  var preparing: Preparation?
  /// The placement that is running.
  var running: Running?
  private(set) var isStopped = false

  /// - Parameters:
  ///   - mailbox: where the control plane and the loader post.
  public init(
    configuration: WorkerConfiguration, control: any ControlPlane, data: any DataPlane, loader: any ShareLoading,
    arena: WeightArena, mailbox: Mailbox<WorkerEvent>, logger: Logger
  ) {
    self.configuration = configuration
    self.control = control
    self.data = data
    self.loader = loader
    self.arena = arena
    self.mailbox = mailbox
    self.logger = logger
    meter = WorkMeter(clock: configuration.clock)
    shelf = configuration.shelf
    team = ThreadTeam(threads: configuration.threads)
  }

  /// Runs until `stop` is posted.
  public func run() {
    while !isStopped {
      configuration.pulse.isWorking = true
      if advance(now: configuration.clock()) { continue }
      configuration.pulse.isWorking = false
      meterWaiting()
      data.wait(until: nextDeadline)
    }
  }

  /// When `advance` is due, should nothing happen before; nil for never.
  public var nextDeadline: ContinuousClock.Instant? {
    [strangers.values.min(), running?.answers.nextDeadline].compactMap { $0 }.min()
  }

  /// One round: messages, data frames, one piece of work.
  /// - Returns: whether there was anything to do.
  public func advance(now: ContinuousClock.Instant) -> Bool {
    var isBusy = false
    configuration.pulse.beat()
    meter.enter(running?.engine.isIdle == false ? .wire : nil)
    while let event = mailbox.take() {
      handle(event, now)
      isBusy = true
    }
    data.poll { event in
      isBusy = true
      handle(event)
    }
    dropSilentStrangers(now)
    if askOthers(now) { isBusy = true }
    if runEngine() { isBusy = true }
    return isBusy
  }

  private func handle(_ event: WorkerEvent, _ now: ContinuousClock.Instant) {
    switch event {
    case .stop: isStopped = true
    case .share(let event): handle(event)
    case .control(.opened(let link, _)): strangers[link] = now + configuration.helloTimeout
    case .control(.received(let link, let header, let message)): handle(message, header, on: link)
    case .control(.closed(let link, let error)): closed(link, error)
    }
  }

  func stop() { isStopped = true }

  private func dropSilentStrangers(_ now: ContinuousClock.Instant) {
    guard !strangers.isEmpty else { return }
    for link in strangers.filter({ $0.value <= now }).keys.sorted() {
      strangers[link] = nil
      logger.notice("closing a connection that did not say who it is")
      control.close(link)
    }
  }

  /// Sends a message to the coordinator; without one it is dropped.
  func send(_ message: ControlMessage) {
    guard let session else { return }
    control.send(message, epoch: running?.epoch ?? PlacementEpoch(rawValue: 0), term: session.term, on: session.link)
  }
}

/// A coordinator's connection.
struct Session {
  /// As whom peers are greeted.
  var identity: DataIdentity { DataIdentity(node: node, cluster: cluster, term: term) }
  let link: LinkID
  let cluster: ClusterID
  let term: CoordinatorTerm
  /// What the coordinator calls this worker.
  let node: NodeID
  /// What the process had sent and done when the session began.
  let earlier: NodeCounters
}

/// A placement on its way.
struct Preparation {
  let order: Prepare
  /// Number of the request for its weights.
  let request: Int
  var epoch: PlacementEpoch { order.placement.epoch }
  /// Peers that have not been reached.
  var awaitedPeers: Set<NodeID>
  /// Set when the weights are in memory.
  var share: LoadedShare?
  /// Whether the coordinator knows that everything is ready.
  var isReported = false
}

/// A placement in force.
final class Running {
  let order: Prepare
  /// The weights that the engine reads; they stay in memory with this.
  let share: LoadedShare
  let engine: Engine
  var holders: ExpertHolders
  /// Keeps the engine's outlet alive; the engine does not.
  let outlet: WorkerOutlet
  /// Nodes whose data connection must be up before the switch is acknowledged.
  var awaitedPeers: Set<NodeIndex>
  var isAcknowledged = false
  /// Keys and values that are to be sent when the coordinator says so, and those that are awaited.
  var exports: KeyValueExports?
  var imports: KeyValueImports?
  var answers = AnswerTimes()
  /// Rows of a hand-over, aligned.
  let handOverRows: AlignedBuffer

  var epoch: PlacementEpoch { order.placement.epoch }
  var hiddenSize: Int { engine.configuration.spec.hyperparameters.hiddenSize }
  var expertCount: Int { engine.configuration.spec.hyperparameters.expertCount }

  init(
    order: Prepare, share: LoadedShare, engine: Engine, holders: ExpertHolders, outlet: WorkerOutlet,
    awaitedPeers: Set<NodeIndex>
  ) {
    self.order = order
    self.share = share
    self.engine = engine
    self.holders = holders
    self.outlet = outlet
    self.awaitedPeers = awaitedPeers
    let configuration = engine.configuration
    handOverRows = AlignedBuffer(
      byteCount: 4 * configuration.rowCapacity * configuration.spec.hyperparameters.hiddenSize)
  }
}
