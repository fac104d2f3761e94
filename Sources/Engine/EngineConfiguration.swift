public import ModelSpec
public import Tensors

/// What an engine needs to know of its model and of the node's part in it.
public struct EngineConfiguration: Sendable {
  /// A stage whose trunk and KV cache are on this node.
  public struct HostedStage: Sendable, Hashable {
    /// Index of the stage in the placement.
    public let index: Int
    public let layers: Range<LayerIndex>
    /// Whether the stage's end is the model's end.
    public let isLast: Bool

    public init(index: Int, layers: Range<LayerIndex>, isLast: Bool) {
      self.index = index
      self.layers = layers
      self.isLast = isLast
    }
  }

  public let spec: ModelSpec
  public let stages: [HostedStage]
  public let kvType: KVType
  public let combine: CombineMode
  /// Most positions of a sequence.
  public let context: Int
  /// Most sequences with keys and values at once.
  public let sequences: Int
  /// Most rows of a pass; longer prefill chunks are cut into several.
  public let rowCapacity: Int

  public init(
    spec: ModelSpec, stages: [HostedStage], kvType: KVType, combine: CombineMode, context: Int, sequences: Int,
    rowCapacity: Int
  ) {
    self.spec = spec
    self.stages = stages
    self.kvType = kvType
    self.combine = combine
    self.context = context
    self.sequences = sequences
    self.rowCapacity = rowCapacity
  }
}
