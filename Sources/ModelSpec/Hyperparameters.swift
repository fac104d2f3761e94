import GGUF

/// The numbers that fix a model's shapes; every one checked against a stated limit.
public struct Hyperparameters: Sendable, Hashable {
  /// Layers that take part; those behind them that predict further tokens are not counted.
  public let layerCount: Int
  /// Elements of the residual stream.
  public let hiddenSize: Int
  /// Query heads.
  public let headCount: Int
  /// Key/value heads; divides `headCount`.
  public let keyValueHeadCount: Int
  /// Elements of a query or key head.
  public let keyHeadSize: Int
  /// Elements of a value head.
  public let valueHeadSize: Int
  /// Routed experts of a layer that has them; 0 in a dense model.
  public let expertCount: Int
  /// Routed experts chosen for a token (top-k).
  public let expertsPerToken: Int
  /// Inner width of a routed expert.
  public let expertWidth: Int
  /// Layers at the start that are dense; all of them in a dense model.
  public let denseLayerCount: Int
  /// Inner width of a dense layer's feed-forward block; 0 where there is none.
  public let denseWidth: Int
  /// Inner width of all shared experts of a layer together; 0 where there are none.
  public let sharedWidth: Int
  public let routing: Routing
  /// Positions the model was made for.
  public let contextLength: Int
  public let vocabularySize: Int
  public let normEpsilon: Float
  /// Base of the rotary frequencies.
  public let ropeBase: Double
  /// Elements of a head that are rotated; even, at most `keyHeadSize`.
  public let ropeSize: Int
  public let ropeScaling: RotaryScaling
  /// Factor of cosines and sines, beside that of `ropeScaling`.
  public let ropeMagnitude: Double
  public let slidingWindow: SlidingWindow?
  /// Sizes of latent attention, for families that have it.
  public let latent: LatentShape?
  public let temperature: AttentionTemperature?

  /// Most routed experts of all layers together.
  static let expertLimit = 1 << 19

  /// Reads the keys `<family>.*`.
  /// - Throws: `ModelSpecError` naming the key and what was found.
  init(_ family: ModelFamily, file: GGUFFile) throws(ModelSpecError) {
    let keys = KeyReader(family: family.name, metadata: file.metadata)
    let blockCount = try keys.integer("block_count", in: 1...4096)
    layerCount = blockCount - (try keys.integer("nextn_predict_layers", in: 0...blockCount - 1, default: 0))
    hiddenSize = try keys.integer("embedding_length", in: 1...1 << 20)
    headCount = try keys.integer("attention.head_count", in: 1...65_536)
    keyValueHeadCount = try keys.integer("attention.head_count_kv", in: 1...65_536, default: headCount)
    let headSize = hiddenSize % headCount == 0 ? hiddenSize / headCount : nil
    keyHeadSize = try keys.integer("attention.key_length", in: 1...65_536, default: headSize)
    valueHeadSize = try keys.integer("attention.value_length", in: 1...65_536, default: headSize)
    contextLength = try keys.integer("context_length", in: 1...1 << 28)
    normEpsilon = Float(try keys.float("attention.layer_norm_rms_epsilon", in: 0...1))
    ropeBase = try keys.float("rope.freq_base", in: 1...1e12, default: 10_000)
    ropeSize = try keys.integer("rope.dimension_count", in: 2...65_536, default: keyHeadSize)
    ropeScaling = try RotaryScaling(keys, family, contextLength: contextLength, ropeBase: ropeBase)
    ropeMagnitude = try keys.float("rope.scaling.attn_factor", in: 1e-3...1e3, default: 1)
    slidingWindow = try SlidingWindow(keys, family)
    latent = family.attention == .latent ? try LatentShape(keys, file: file) : nil
    temperature = try AttentionTemperature(keys, contextLength: contextLength)

    let widths = try FeedForwardWidths(keys, family, layerCount: layerCount)
    expertCount = widths.expertCount
    expertsPerToken = widths.expertsPerToken
    expertWidth = widths.expert
    denseLayerCount = widths.denseLayerCount
    denseWidth = widths.dense
    sharedWidth = widths.shared
    let bias = family.tensorName(.selectionBias, layer: denseLayerCount)
    routing = try Routing(
      keys, family.router, hasSelectionBias: file.tensor(bias) != nil, expertCount: expertCount,
      expertsPerToken: expertsPerToken)
    vocabularySize = try Self.vocabularySize(file)
    try check(keys)
    try latent?.check(self, keys)
  }

  /// Whether a layer has routed experts; its feed-forward block is dense otherwise.
  func hasExperts(_ layer: Int) -> Bool { (denseLayerCount..<layerCount).contains(layer) }

  private static func vocabularySize(_ file: GGUFFile) throws(ModelSpecError) -> Int {
    guard let embedding = file.tensor("token_embd.weight") else {
      throw ModelSpecError(.missingTensor, "the model has no tensor token_embd.weight")
    }
    guard embedding.dimensions.count == 2, (1...1 << 24).contains(embedding.dimensions[1]) else {
      throw ModelSpecError(
        .badShape, "token_embd.weight has the shape \(embedding.dimensions); expected [hidden size, vocabulary]")
    }
    return embedding.dimensions[1]
  }

  private func check(_ keys: KeyReader) throws(ModelSpecError) {
    try keys.require(
      headCount % keyValueHeadCount == 0, "attention.head_count_kv",
      "is \(keyValueHeadCount), which does not divide the \(headCount) query heads")
    try keys.require(
      ropeSize % 2 == 0 && ropeSize <= keyHeadSize, "rope.dimension_count",
      "is \(ropeSize); it must be even and at most the head size \(keyHeadSize)")
    // Every expert of every layer is a piece of its own, and is named in one message.
    try keys.require(
      layerCount * expertCount <= Self.expertLimit, "expert_count",
      "is \(expertCount): \(layerCount) layers of as many are more than \(Self.expertLimit) experts together")
  }
}

/// Layers that see only the last positions.
public struct SlidingWindow: Sendable, Hashable {
  /// Positions that a row sees, its own included.
  public let positions: Int
  /// Of each `period` layers the last sees everything; 0: no layer does.
  public let period: Int

  /// - Returns: nil for a family without such layers.
  init?(_ keys: KeyReader, _ family: ModelFamily) throws(ModelSpecError) {
    guard case .grouped(let attention) = family.attention, attention.windows else { return nil }
    positions = try keys.integer("attention.sliding_window", in: 1...1 << 28)
    period = try keys.integer("attention.sliding_window_pattern", in: 0...4096, default: 2)
  }

  /// Whether a layer sees only the window.
  public func limits(_ layer: Int) -> Bool { period == 0 || layer % period < period - 1 }
}

/// Queries that grow with their position: by 1 + scale * ln(1 + floor(position / length)).
public struct AttentionTemperature: Sendable, Hashable {
  public let scale: Double
  /// Positions before the first step.
  public let length: Int

  /// - Returns: nil when the file has no `attention.temperature_scale`, or 0 for it.
  init?(_ keys: KeyReader, contextLength: Int) throws(ModelSpecError) {
    scale = try keys.float("attention.temperature_scale", in: 0...100, default: 0)
    let context = try keys.integer("rope.scaling.original_context_length", in: 1...1 << 28, default: contextLength)
    length = try keys.integer("attention.temperature_length", in: 1...1 << 28, default: context)
    guard scale > 0 else { return nil }
  }
}
