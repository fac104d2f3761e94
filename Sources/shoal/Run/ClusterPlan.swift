import Cluster
import Coordinator
import Kernels
import ModelSpec
import Scheduling
import ShardStore
import Tensors
import Transport
import Wire

/// What is to run where: a model placed on nodes, and the settings that determine its answers.
struct ClusterPlan {
  let placement: Placement
  /// Nil when there is no topology: one process without a cluster.
  let topology: Topology?
  let model: LoadedModel
  let kvType: KVType
  let combine: CombineMode
  let context: Int
  let sequences: Int
  let prefillChunk: Int

  /// Rows of a pass: large enough to use weights well, small enough that a decode step does not wait long behind it.
  static let subBatchRows = 128

  /// Reads topology and model.
  init(_ options: ClusterOptions) throws {
    let store = options.openStore()
    guard let path = options.topologyPath else {
      guard let model = options.model else {
        throw InputError(.usage, "--topology none needs --model FILE")
      }
      try self.init(model: LoadedModel(path: model, store: store), options)
      return
    }
    let topology = try TopologyFile.read(path)
    try self.init(
      topology, model: LoadedModel(path: options.model ?? topology.modelPath, store: store), options)
  }

  private init(model: LoadedModel, _ options: ClusterOptions) throws {
    self.model = model
    topology = nil
    let facts = ModelFacts(model.spec)
    let everything = ExpertHolding(node: 0, experts: ExpertSet(all: facts.expertCountMax(facts.layers)))
    placement = Placement(
      epoch: PlacementEpoch(rawValue: 1), nodes: ["local"],
      stages: [StagePlacement(layers: facts.layers, host: 0, experts: [everything])])
    kvType = options.kv ?? .f16
    combine = .exact
    sequences = 4
    context = min(options.context ?? Topology.contextDefault, facts.contextLength)
    if let wanted = options.context, wanted > facts.contextLength {
      throw InputError(
        .usage, "--context is \(wanted), but the model was made for \(facts.contextLength) positions")
    }
    prefillChunk = options.prefillChunk ?? SchedulerConfiguration.defaultPrefillChunk
  }

  private init(_ topology: Topology, model: LoadedModel, _ options: ClusterOptions) throws {
    self.model = model
    self.topology = topology
    let facts = ModelFacts(model.spec)
    placement = try topology.place(facts)
    kvType = options.kv ?? topology.keyValueType.value
    combine = topology.combine.value
    sequences = topology.sequences.value
    if let wanted = options.context {
      guard wanted <= facts.contextLength else {
        throw InputError(
          .usage, "--context is \(wanted), but the model was made for \(facts.contextLength) positions")
      }
      context = wanted
    } else {
      context = try topology.contextLength(for: facts)
    }
    prefillChunk = options.prefillChunk ?? SchedulerConfiguration.defaultPrefillChunk
    try memory(of: topology).check(topology)
  }

  /// Bytes each node needs.
  func memory(of topology: Topology) -> MemoryPlan {
    MemoryPlan(
      placement: placement, facts: ModelFacts(model.spec), sizes: ModelSizes(model.spec, keyValueType: kvType),
      context: context, sequences: sequences, rows: Self.subBatchRows)
  }

  /// What the coordinator is made from.
  /// - Parameter addresses: where each node listens; nil for those that are told later.
  func configuration(
    cluster: ClusterID, term: CoordinatorTerm, addresses: [NodeID: HostPort], advertised: [NodeID: HostPort] = [:]
  ) -> CoordinatorConfiguration {
    let nodes = placement.nodes.enumerated().map { index, id in
      NodePlan(
        id: id, address: addresses[id], advertised: advertised[id],
        pieces: model.descriptions(placement.pieces(for: NodeIndex(index), spec: model.spec)))
    }
    return CoordinatorConfiguration(
      cluster: cluster, term: term, numericsVersion: Kernels.numericsVersion, software: Shoal.release,
      model: ModelPlan(
        id: model.manifest.modelID, header: model.header, tokenizer: model.tokenizer,
        vocabularySize: model.spec.hyperparameters.vocabularySize),
      placement: placement, nodes: nodes, kvType: kvType, combine: combine, context: context, sequences: sequences,
      prefillChunk: prefillChunk, subBatchRows: min(Self.subBatchRows, prefillChunk))
  }
}
