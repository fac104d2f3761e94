public import Tensors

/// Who holds what: the layers of each stage, their host, and where each routed expert lies.
public struct Placement: Sendable, Hashable {
  /// Version of the placement.
  public let epoch: PlacementEpoch
  /// Every node, also those that hold nothing; frames name nodes by their index here.
  public let nodes: [NodeID]
  /// In layer order, covering every layer once.
  public let stages: [StagePlacement]

  /// Takes the parts as they are; see `problem(for:)` for those from elsewhere.
  public init(epoch: PlacementEpoch, nodes: [NodeID], stages: [StagePlacement]) {
    self.epoch = epoch
    self.nodes = nodes
    self.stages = stages
  }
}

/// One pipeline stage of a placement.
public struct StagePlacement: Sendable, Hashable {
  /// Contiguous layers of this stage.
  public let layers: Range<LayerIndex>
  /// The node with the trunk of these layers and their KV cache.
  public let host: NodeIndex
  /// Which nodes hold which routed experts of every layer of the stage; an expert on several nodes has replicas.
  public let experts: [ExpertHolding]

  /// Takes the parts as they are.
  public init(layers: Range<LayerIndex>, host: NodeIndex, experts: [ExpertHolding]) {
    self.layers = layers
    self.host = host
    self.experts = experts
  }
}

/// The routed experts of one stage that lie on one node.
public struct ExpertHolding: Sendable, Hashable {
  /// The node that holds them.
  public let node: NodeIndex
  /// In every layer of the stage that has them.
  public let experts: ExpertSet

  /// Takes the parts as they are.
  public init(node: NodeIndex, experts: ExpertSet) {
    self.node = node
    self.experts = experts
  }
}
