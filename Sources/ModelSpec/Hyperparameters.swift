import GGUF

/// The numbers that fix a model's shapes; every one checked against a stated limit.
public struct Hyperparameters: Sendable, Hashable {
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
  /// Routed experts of a layer.
  public let expertCount: Int
  /// Routed experts chosen for a token (top-k).
  public let expertsPerToken: Int
  /// Inner width of a routed expert.
  public let expertWidth: Int
  /// Positions the model was made for.
  public let contextLength: Int
  public let vocabularySize: Int
  public let normEpsilon: Float
  /// Base of the rotary frequencies.
  public let ropeBase: Double
  /// Elements of a head that are rotated; even, at most `keyHeadSize`.
  public let ropeSize: Int

  /// Most routed experts of all layers together.
  static let expertLimit = 1 << 19

  /// Reads the keys `<family>.*`.
  /// - Throws: `ModelSpecError` naming the key and what was found.
  init(family: String, file: GGUFFile) throws(ModelSpecError) {
    let keys = KeyReader(family: family, metadata: file.metadata)
    layerCount = try keys.integer("block_count", in: 1...4096)
    hiddenSize = try keys.integer("embedding_length", in: 1...1 << 20)
    headCount = try keys.integer("attention.head_count", in: 1...65_536)
    keyValueHeadCount = try keys.integer("attention.head_count_kv", in: 1...65_536, default: headCount)
    let headSize = max(1, hiddenSize / headCount)
    keyHeadSize = try keys.integer("attention.key_length", in: 1...65_536, default: headSize)
    valueHeadSize = try keys.integer("attention.value_length", in: 1...65_536, default: headSize)
    expertCount = try keys.integer("expert_count", in: 1...65_535)
    expertsPerToken = try keys.integer("expert_used_count", in: 1...65_535)
    expertWidth = try keys.integer("expert_feed_forward_length", in: 1...1 << 20)
    contextLength = try keys.integer("context_length", in: 1...1 << 28)
    normEpsilon = Float(try keys.float("attention.layer_norm_rms_epsilon", in: 0...1))
    ropeBase = try keys.float("rope.freq_base", in: 1...1e12, default: 10_000)
    ropeSize = try keys.integer("rope.dimension_count", in: 2...65_536, default: keyHeadSize)
    vocabularySize = try Self.vocabularySize(file, keys)
    try check(keys)
  }

  private static func vocabularySize(_ file: GGUFFile, _ keys: KeyReader) throws(ModelSpecError) -> Int {
    guard let embedding = file.tensor(TensorRole.tokenEmbedding.tensorName()) else {
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
      expertsPerToken <= expertCount, "expert_used_count",
      "is \(expertsPerToken), more than the \(expertCount) experts of a layer")
    try keys.require(
      ropeSize % 2 == 0 && ropeSize <= keyHeadSize, "rope.dimension_count",
      "is \(ropeSize); it must be even and at most the head size \(keyHeadSize)")
    // Every expert of every layer is a piece of its own, and is named in one message.
    try keys.require(
      layerCount * expertCount <= Self.expertLimit, "expert_count",
      "is \(expertCount): \(layerCount) layers of as many are more than \(Self.expertLimit) experts together")
    let scaling = try keys.text("rope.scaling.type") ?? "none"
    try keys.require(
      scaling == "none", "rope.scaling.type", "is \"\(scaling)\", which this version does not support for this family")
  }
}

/// Reads the keys of one family with range checks and errors that name the key.
struct KeyReader {
  let family: String
  let metadata: GGUFMetadata

  func integer(
    _ key: String, in range: ClosedRange<Int>, default fallback: Int? = nil
  ) throws(ModelSpecError) -> Int {
    do {
      if let value = try metadata.integerIfPresent("\(family).\(key)", in: range) { return value }
    } catch {
      throw ModelSpecError(.badHyperparameter, error.message)
    }
    guard let fallback else { throw missing(key) }
    return fallback
  }

  func float(
    _ key: String, in range: ClosedRange<Double>, default fallback: Double? = nil
  ) throws(ModelSpecError) -> Double {
    let found: Float?
    do {
      found = try metadata.floatIfPresent("\(family).\(key)")
    } catch {
      throw ModelSpecError(.badHyperparameter, error.message)
    }
    guard let value = found.map(Double.init) ?? fallback else { throw missing(key) }
    try require(range.contains(value), key, "is \(value), outside \(range.lowerBound)...\(range.upperBound)")
    return value
  }

  func text(_ key: String) throws(ModelSpecError) -> String? {
    switch metadata["\(family).\(key)"] {
    case nil: return nil
    case .string(let text)?: return text
    case let other?: throw ModelSpecError(.badHyperparameter, "the key \(family).\(key) is no text but \(other)")
    }
  }

  func require(_ condition: Bool, _ key: String, _ problem: String) throws(ModelSpecError) {
    guard condition else { throw ModelSpecError(.badHyperparameter, "the key \(family).\(key) \(problem)") }
  }

  private func missing(_ key: String) -> ModelSpecError {
    ModelSpecError(.badHyperparameter, "the model has no key \(family).\(key)")
  }
}
