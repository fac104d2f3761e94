public import Cluster
public import Coordinator
import Kernels
import ModelSpec
import ShardStore
public import Tensors
import Transport
import Wire

/// A whole cluster, coordinator, workers and engines, on the caller's thread: a seed decides who has a turn when and
/// what the network does, and the clock moves only when nobody has anything to do. The same seed gives the same run.
///
///     let cluster = try SimulatedCluster(model, SimulationOptions(seed: 7, placement: placement))
///     let job = cluster.submit(JobRequest(prompt: .tokens([1, 2, 3]), maxTokens: 8))
///     try cluster.run()
///     job.tokens
public final class SimulatedCluster {
  /// The model that all of it runs.
  public let model: SimulatedModel
  /// How it was set up.
  public let options: SimulationOptions
  /// Every packet, job event and report so far.
  public let log = EventLog()
  /// Where the workers' weights come from, when they come from the coordinator.
  public let weights: SimulatedWeights
  /// Worker processes that live.
  public internal(set) var workers: [SimulatedWorker] = []
  /// All that were started and not killed; the last one takes the jobs.
  public internal(set) var coordinators: [SimulatedCoordinator] = []
  /// Clients that submit durable jobs.
  public private(set) var clients: [SimulatedClient] = []
  /// What coordinators keep from one start to the next.
  public let state = SimulatedState()
  /// Bytes of weights that workers got from each other.
  public var bytesFromPeers: Int { peers.bytesMoved }
  /// Worker processes whose engine's thread does nothing any more, though they answer pings.
  public internal(set) var hung: Set<NodeID> = []
  /// Rewrites the epoch in the headers of packets that arrive, for tests of the tests.
  public var forge: ((PacketRecord) -> PlacementEpoch?)?
  /// Called with every worker that is started, for tests of the tests.
  public var started: ((SimulatedWorker) -> Void)? {
    didSet { workers.forEach { started?($0) } }
  }
  let net: FaultyNetwork
  let clock = SimulatedClock()
  let peers = SimulatedPeers()
  /// What workers keep from one process to the next.
  private var stores: [NodeID: SimulatedStore] = [:]
  var random: SeededRandom
  let start = ContinuousClock.now
  /// Since the start, by the simulation's clock.
  public internal(set) var elapsed = Duration.zero {
    didSet {
      clock.set(now)
      net.setNow(elapsed)
    }
  }
  /// Jobs of all coordinators.
  public internal(set) var jobs: [SimulatedJob] = []
  private var coordinatorCount = 0

  /// Starts workers, and a coordinator of term 1.
  public init(_ model: SimulatedModel, _ options: SimulationOptions) throws {
    self.model = model
    self.options = options
    weights = SimulatedWeights(model)
    random = SeededRandom(seed: options.seed)
    net = FaultyNetwork(seed: random.next(), faults: options.faults, log: log)
    clock.set(start)
    for node in options.placement.nodes + options.otherNodes { try startWorker(node) }
    startCoordinator(term: 1)
  }

  /// Names of all nodes that were ever to be.
  public var allNodes: [NodeID] { options.placement.nodes + options.otherNodes }

  /// The simulation's time.
  public var now: ContinuousClock.Instant { start + elapsed }
  /// The newest coordinator.
  public var coordinator: SimulatedCoordinator { coordinators[coordinators.count - 1] }

  /// The worker process of a node; nil while it is dead.
  public func worker(_ node: NodeID) -> SimulatedWorker? { workers.first { $0.node == node } }

  // MARK: - Processes

  /// Starts a worker process, also again after `kill`.
  /// - Parameter keepsStore: whether it finds what an earlier process of it had in a store in memory.
  public func startWorker(_ node: NodeID, keepsStore: Bool = true) throws {
    let index = (options.placement.nodes + options.otherNodes).firstIndex(of: node) ?? 0
    let wanted = options.kernels[index % options.kernels.count]
    let kernels = try Kernels.select(Kernels.available.contains(wanted) ? wanted : .scalar)
    var store: ShardStore?
    var sources: [any PieceSource] = [ModelFileSource(model.reader)]
    if case .coordinator(let folder) = options.weights {
      sources = [weights]
      store = try folder.map { try ShardStore(directory: "\($0)/\(node)") }
    }
    var memoryStore: SimulatedStore?
    if case .simulatedStores = options.weights {
      let kept = (keepsStore ? stores[node] : nil) ?? SimulatedStore(model)
      stores[node] = kept
      memoryStore = kept
      sources = [weights]
    }
    workers.append(
      SimulatedWorker(
        node, network: net.network, kernels: kernels, threads: options.threads[index % options.threads.count],
        memory: options.memory[node], sources: sources, store: store, memoryStore: memoryStore, clock: clock,
        peers: peers))
    started?(workers[workers.count - 1])
  }

  /// Stops the engine's thread of a worker, as a bug or a dying disk does; its system goes on answering.
  public func hang(_ node: NodeID) {
    hung.insert(node)
    worker(node)?.pulse.isWorking = true
  }

  /// Lets the engine's thread of a worker go on.
  public func resume(_ node: NodeID) { hung.remove(node) }

  /// Kills a worker process. What it had on its way is lost.
  public func kill(_ node: NodeID) {
    hung.remove(node)
    guard worker(node) != nil else { return }
    for other in workers.map(\.node.rawValue) + coordinators.map(\.name) where other != node.rawValue {
      net.cut(other, node.rawValue, keepApart: false)
    }
    workers.removeAll { worker in
      guard worker.node == node else { return false }
      worker.die()
      return true
    }
  }

  /// Starts a coordinator of the same cluster; those that are there go on.
  /// - Parameters:
  ///   - cluster: number of the cluster it believes to be the coordinator of.
  ///   - placement: what it wishes for; by default the options', or what was accepted last.
  public func startCoordinator(term: UInt32, cluster: UInt64 = 1, placement: Placement? = nil) {
    coordinatorCount += 1
    let wished = placement.map { desired($0) } ?? state.topology ?? desired(options.placement)
    let configuration = configuration(term: term, cluster: cluster, wished)
    coordinators.append(
      SimulatedCoordinator(
        coordinatorCount, configuration: configuration, network: net.network, log: log,
        journal: options.isDurable ? state : nil))
  }

  /// Saves another topology, as an operator does.
  public func edit(_ placement: Placement, sequences: Int? = nil) {
    let source = state.offer { desired(placement, sequences: sequences, source: $0) }
    coordinator.handle.edited(.accepted(source))
  }

  /// Saves a topology that is wrong in itself.
  public func refuseEdit(_ reason: String) { coordinator.handle.edited(.refused(reason)) }

  /// Kills a coordinator process, the newest one unless said otherwise; its open jobs are never heard of again.
  public func killCoordinator(_ name: String? = nil) {
    guard let name = name ?? coordinators.last?.name else { return }
    for other in workers.map(\.node.rawValue) + clients.map(\.name) { net.cut(name, other, keepApart: false) }
    coordinators.removeAll { coordinator in
      guard coordinator.name == name else { return false }
      coordinator.die()
      return true
    }
    jobs.removeAll { $0.coordinator == name && !$0.hasEnded }
  }

  /// Lets nothing arrive between two names for a while, and nothing be lost.
  public func stall(_ first: String, _ second: String, for time: Duration) {
    net.stall(first, second, until: elapsed + time)
  }

  /// Lets everything on its way arrive.
  public func endStalls() { net.endStalls() }

  private func configuration(term: UInt32, cluster: UInt64, _ wished: DesiredCluster) -> CoordinatorConfiguration {
    var pieces: [PieceID: PieceDescription] = [:]
    for piece in model.descriptions(model.manifest.entries.map(\.id)) { pieces[piece.piece] = piece }
    var configuration = CoordinatorConfiguration(
      cluster: ClusterID(high: 1, low: cluster), term: CoordinatorTerm(rawValue: term),
      numericsVersion: Kernels.numericsVersion, software: "simulation",
      model: ModelPlan(
        id: model.manifest.modelID, header: model.header, tokenizer: model.tokenizer,
        vocabularySize: model.spec.hyperparameters.vocabularySize, facts: ModelFacts(model.spec),
        sizes: ModelSizes(model.spec, keyValueType: options.kvType), pieces: pieces),
      desired: wished, kvType: options.kvType, combine: options.combine,
      context: options.context, prefillChunk: options.prefillChunk, subBatchRows: options.subBatchRows)
    configuration.bringUp = options.bringUp
    if options.isDurable {
      let restored = state.restore()
      configuration.storedJobs = restored.jobs
      configuration.nextJob = restored.nextJob
    }
    configuration.timeouts = options.timeouts
    return configuration
  }

  private func desired(
    _ placement: Placement, sequences: Int? = nil, source: [UInt8] = []
  ) -> DesiredCluster {
    let nodes = placement.nodes.map {
      NodePlan(id: $0, address: SimulatedWorker.address(of: $0), memoryBytes: options.memory[$0])
    }
    return DesiredCluster(placement: placement, nodes: nodes, sequences: sequences ?? options.sequences, source: source)
  }

  // MARK: - Jobs

  /// Hands a job to the newest coordinator; `run` carries it out.
  @discardableResult
  public func submit(_ request: JobRequest) -> SimulatedJob {
    let job = SimulatedJob(coordinator: coordinator.name, log: log)
    job.handedOver(as: coordinator.handle.submit(request, sink: job.sink))
    jobs.append(job)
    return job
  }

  /// Asks the newest coordinator to end a job.
  public func cancel(_ job: SimulatedJob) { coordinator.handle.cancel(job.id) }

  /// A client of coordinators that keep durable jobs; it has to be told to `connect`.
  /// - Parameter listens: whether it attaches to every job that it has submitted.
  public func startClient(listens: Bool) -> SimulatedClient {
    let client = SimulatedClient(
      "\(FaultyNetwork.clientPrefix)-\(clients.count + 1)", network: net.network, listens: listens)
    clients.append(client)
    return client
  }

  // MARK: - Network

  /// What is wrong with the network from now on.
  public var faults: FaultPlan {
    get { net.faults }
    set { net.faults = newValue }
  }

  /// Packets that wait in the network.
  public var waitingPackets: Int { net.network.held.count }

  /// Breaks the connections between two names: nodes, or a coordinator's `name` and a node.
  /// - Parameter keepApart: let no new ones be made until `heal`.
  public func cut(_ first: String, _ second: String, keepApart: Bool = false) {
    net.cut(first, second, keepApart: keepApart)
  }

  /// Lets connections be made again.
  public func heal(_ first: String, _ second: String) { net.heal(first, second) }
}
