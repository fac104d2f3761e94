public import ModelSpec
public import Tensors

/// What a memory plan must know of the model.
public struct ModelSizes: Sendable {
  /// Bytes that a piece of weights takes in memory; 0 for one the model does not have.
  public let pieceBytes: @Sendable (PieceID) -> Int
  /// Bytes that one position of one layer takes in the KV cache.
  public let keyValueBytes: @Sendable (LayerIndex) -> Int
  /// Elements of the residual stream.
  public let hiddenSize: Int
  /// Elements of all query heads of a layer together.
  public let queryWidth: Int
  /// Inner width of a routed expert.
  public let expertWidth: Int
  /// Inner width of what a host computes of feed-forward blocks itself: dense layers, shared experts.
  public let hostWidth: Int
  /// Routed experts chosen for a token.
  public let expertsPerToken: Int
  /// Tokens of the vocabulary, that is logits of a position.
  public let vocabularySize: Int

  /// The sizes themselves, for models that have not been read.
  public init(
    pieceBytes: @escaping @Sendable (PieceID) -> Int, keyValueBytes: @escaping @Sendable (LayerIndex) -> Int,
    hiddenSize: Int, queryWidth: Int, expertWidth: Int, hostWidth: Int = 0, expertsPerToken: Int, vocabularySize: Int
  ) {
    self.pieceBytes = pieceBytes
    self.keyValueBytes = keyValueBytes
    self.hiddenSize = hiddenSize
    self.queryWidth = queryWidth
    self.expertWidth = expertWidth
    self.hostWidth = hostWidth
    self.expertsPerToken = expertsPerToken
    self.vocabularySize = vocabularySize
  }

  /// The sizes of a model that has been read, with a KV cache of a type.
  public init(_ spec: ModelSpec, keyValueType: KVType) {
    let model = spec.hyperparameters
    let perPosition = spec.keyValueBytes(keyValueType)
    // Latent attention has the projected heads beside those that meet the cache.
    let projected = model.latent.map { $0.queryHeadSize + $0.valueHeadSize } ?? 0
    let headSize = max(model.keyHeadSize, model.valueHeadSize) + projected
    self.init(
      pieceBytes: { spec.layout(of: $0)?.memoryBytes ?? 0 }, keyValueBytes: { _ in perPosition },
      hiddenSize: model.hiddenSize, queryWidth: model.headCount * headSize,
      expertWidth: model.expertWidth, hostWidth: max(model.denseWidth, model.sharedWidth),
      expertsPerToken: model.expertsPerToken, vocabularySize: model.vocabularySize)
  }
}
