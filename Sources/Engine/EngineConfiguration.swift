import ModelGraph
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

extension EngineConfiguration {
  /// Whether keys and values made under another configuration are, bit for bit, those that this one would make: the
  /// model's shape, the KV type, the combine mode and the context are the same. Stages and sequences may differ.
  public func keepsKeyValues(of other: EngineConfiguration) -> Bool {
    spec.hyperparameters == other.spec.hyperparameters && kvType == other.kvType && combine == other.combine
      && context == other.context
  }

  /// Bytes that keys and values take when all sequences are as long as they may be; `Int.max` when that is past
  /// counting.
  public var keyValueBytes: Int {
    let blocks = (context - 1) / KVType.blockPositions + 1
    let positions = Self.product(Self.product(blocks, KVType.blockPositions), sequences)
    let layers = stages.reduce(0) { $0 + $1.layers.count }
    return Self.product(positions, spec.keyValueBytes(kvType) * layers)
  }

  /// Bytes of scratch memory: buffers of the forward pass, of the exchange with other nodes, and of four passes for
  /// each hosted stage.
  /// - Parameter withReplicas: whether experts of hosted layers have several holders, so that passes keep the rows that
  ///   they may have to send again; the sums of one pass all of whose rows were sent again are counted too.
  public func scratchBytes(threads: Int, withReplicas: Bool = false) -> Int {
    let model = spec.hyperparameters
    let passCount = 4 * max(1, stages.count)
    var bytes = Forward.scratchBytes(model, rowCapacity: rowCapacity, threads: threads) + logitBytes
    bytes += passCount * Pass.byteCount(model, rowCapacity: rowCapacity) + 8 * rowCapacity * model.hiddenSize
    guard withReplicas else { return bytes }
    let retained = RetainedExchange.byteCount(
      rowCapacity: rowCapacity, choicesPerRow: model.expertsPerToken, hiddenSize: model.hiddenSize)
    return bytes + passCount * retained + 8 * rowCapacity * model.expertsPerToken * model.hiddenSize
  }

  /// Bytes of the logits of one pass; only the last host makes any.
  var logitBytes: Int { stages.contains { $0.isLast } ? 4 * rowCapacity * spec.hyperparameters.vocabularySize : 0 }

  private static func product(_ left: Int, _ right: Int) -> Int {
    let (product, overflow) = left.multipliedReportingOverflow(by: right)
    return overflow ? .max : product
  }
}
