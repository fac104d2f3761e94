import Tensors

/// Who holds what and how many bytes that takes: what `shoal topology show` prints, also as JSON.
public struct TopologyReport: Codable, Sendable, Hashable {
  /// One stage and who holds its experts.
  public struct Stage: Codable, Sendable, Hashable {
    /// `"0-2"`
    public let layers: String
    /// Name of its host.
    public let host: String
    /// Routed experts of a layer (of the layer with the most).
    public let expertCount: Int
    /// Layers of the stage that have routed experts.
    public let expertLayerCount: Int
    /// In node order.
    public let holdings: [Holding]
  }

  /// The experts of one stage that one node holds.
  public struct Holding: Codable, Sendable, Hashable {
    /// Name of the node.
    public let node: String
    /// In every layer of the stage that has them.
    public let experts: ExpertSet
    /// Those of the experts that another node holds as well.
    public let replicas: ExpertSet
  }

  /// One node and what it holds.
  public struct Node: Codable, Sendable, Hashable {
    /// Its name.
    public let name: String
    /// `"local"` or `"host:port"`.
    public let address: String
    /// Stages it is host of, counted from 0 in layer order.
    public let hostOf: [Int]
    /// Experts it holds, each layer's counted.
    public let expertCount: Int
    /// Its memory limit.
    public let memoryBytes: Int?
    /// Its weights; like the other bytes nil when the model file was not read.
    public let weightBytes: Int?
    /// Its KV cache when full.
    public let keyValueBytes: Int?
    /// About what it computes in.
    public let scratchBytes: Int?
    /// All of these together.
    public let totalBytes: Int?
  }

  /// Path of the model as the topology names it.
  public let model: String
  /// Layers of the model.
  public let layerCount: Int
  /// Positions of the longest sequence.
  public let context: Int
  /// Sequences that may run at once.
  public let sequences: Int
  /// Number type of the KV cache.
  public let kv: String
  /// Grid on which the outputs of experts are added.
  public let combine: String
  /// In layer order.
  public let stages: [Stage]
  /// In file order.
  public let nodes: [Node]

  /// - Parameters:
  ///   - placement: made of `topology`.
  ///   - context: positions of the longest sequence.
  ///   - memory: made of `placement`; nil leaves the bytes out.
  public init(topology: Topology, placement: Placement, facts: ModelFacts, context: Int, memory: MemoryPlan? = nil) {
    model = topology.model.value
    layerCount = facts.layerCount
    self.context = context
    sequences = topology.sequences.value
    kv = topology.keyValueType.value.name
    combine = topology.combine.value.name
    stages = placement.stages.map { Self.stage($0, placement, facts) }
    nodes = topology.nodes.enumerated().map { index, node in
      let share = memory?.shares[index]
      return Node(
        name: node.name.value.rawValue, address: "\(node.address)",
        hostOf: placement.stages(hostedBy: NodeIndex(index)),
        expertCount: Self.expertCount(NodeIndex(index), placement, facts), memoryBytes: node.memoryBytes?.value,
        weightBytes: share?.weightBytes, keyValueBytes: share?.keyValueBytes, scratchBytes: share?.scratchBytes,
        totalBytes: share?.totalBytes)
    }
  }

  private static func stage(_ stage: StagePlacement, _ placement: Placement, _ facts: ModelFacts) -> Stage {
    let replicas = replicas(of: stage.experts.map(\.experts))
    return Stage(
      layers: stage.layers.text, host: placement.nodes[stage.host.rawValue].rawValue,
      expertCount: facts.expertCountMax(stage.layers),
      expertLayerCount: stage.layers.count { facts.expertCount($0) > 0 },
      holdings: stage.experts.map {
        Holding(
          node: placement.nodes[$0.node.rawValue].rawValue, experts: $0.experts,
          replicas: $0.experts.intersection(replicas))
      })
  }

  /// The experts that are in more than one of the sets.
  private static func replicas(of sets: [ExpertSet]) -> ExpertSet {
    var seen = ExpertSet.empty
    var twice = ExpertSet.empty
    for set in sets {
      twice = twice.union(set.intersection(seen))
      seen = seen.union(set)
    }
    return twice
  }

  private static func expertCount(_ node: NodeIndex, _ placement: Placement, _ facts: ModelFacts) -> Int {
    placement.stages.reduce(0) { sum, stage in
      let held = stage.experts(of: node)
      guard !held.isEmpty else { return sum }
      return sum + stage.layers.reduce(0) { $0 + held.intersection(ExpertSet(all: facts.expertCount($1))).count }
    }
  }
}
