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

  /// Reads the model of a topology that has been read.
  init(_ topology: Topology, _ options: ClusterOptions) throws {
    try self.init(
      topology, model: LoadedModel(path: options.model ?? topology.modelPath, store: options.openStore()), options)
  }

  /// Reads topology and model.
  init(_ options: ClusterOptions) throws {
    switch options.source {
    case .topology(let path):
      try self.init(TopologyFile.read(path), options)
    case .model(let path):
      try self.init(model: LoadedModel(path: path, store: options.openStore()), settings: nil, options)
    case .modelOfTopology(let path):
      let topology = try TopologyFile.read(path)
      try self.init(
        model: LoadedModel(path: topology.modelPath, store: options.openStore()), settings: topology, options)
    }
  }

  /// One process without a cluster.
  /// - Parameter settings: a topology whose settings count, though not its nodes and stages, so that the answers are
  ///   those of its cluster.
  private init(model: LoadedModel, settings: Topology?, _ options: ClusterOptions) throws {
    self.model = model
    topology = nil
    let facts = ModelFacts(model.spec)
    let everything = ExpertHolding(node: 0, experts: ExpertSet(all: facts.expertCountMax(facts.layers)))
    placement = Placement(
      epoch: PlacementEpoch(rawValue: 1), nodes: ["local"],
      stages: [StagePlacement(layers: facts.layers, host: 0, experts: [everything])])
    kvType = options.kv ?? settings?.keyValueType.value ?? .f16
    combine = settings?.combine.value ?? .exact
    sequences = settings?.sequences.value ?? 4
    context =
      try options.context(within: facts) ?? settings?.contextLength(for: facts)
      ?? min(Topology.contextDefault, facts.contextLength)
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
    context = try options.context(within: facts) ?? topology.contextLength(for: facts)
    prefillChunk = options.prefillChunk ?? SchedulerConfiguration.defaultPrefillChunk
    try memory(of: topology).check(topology)
  }

  /// Bytes each node needs with the settings that are in force, options included.
  func memory(of topology: Topology) -> MemoryPlan {
    MemoryPlan(
      placement: placement, facts: ModelFacts(model.spec), sizes: ModelSizes(model.spec, keyValueType: kvType),
      context: context, sequences: sequences, rows: Self.subBatchRows)
  }

  /// What the coordinator is made from.
  func configuration(
    cluster: ClusterID, term: CoordinatorTerm, desired: DesiredCluster
  ) -> CoordinatorConfiguration {
    let pieces = model.manifest.entries.map(\.id)
    var descriptions: [PieceID: PieceDescription] = [:]
    for piece in model.descriptions(pieces) { descriptions[piece.piece] = piece }
    return CoordinatorConfiguration(
      cluster: cluster, term: term, numericsVersion: Kernels.numericsVersion, software: Shoal.release,
      model: ModelPlan(
        id: model.manifest.modelID, header: model.header, tokenizer: model.tokenizer,
        vocabularySize: model.spec.hyperparameters.vocabularySize, facts: ModelFacts(model.spec),
        sizes: ModelSizes(model.spec, keyValueType: kvType), pieces: descriptions),
      desired: desired, kvType: kvType, combine: combine, context: context, prefillChunk: prefillChunk,
      subBatchRows: min(Self.subBatchRows, prefillChunk))
  }
}
