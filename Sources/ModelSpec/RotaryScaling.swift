import Tensors

/// How the rotary angles of a model differ from position * base^(-2i / size), for contexts longer than those first
/// trained on.
public enum RotaryScaling: Sendable, Hashable {
  case none
  /// All frequencies are divided by `factor`.
  case linear(factor: Double)
  case yarn(YarnScaling)

  /// Reads `rope.scaling.*`.
  /// - Throws: `ModelSpecError` naming the key.
  init(
    _ keys: KeyReader, _ family: ModelFamily, contextLength: Int, ropeBase: Double
  ) throws(ModelSpecError) {
    let type = try keys.text("rope.scaling.type")
    guard type != "none" else {
      self = .none
      return
    }
    // The first is the key that older files have.
    let oldFactor = try Self.factor(keys, "rope.scale_linear")
    let factor = try Self.factor(keys, "rope.scaling.factor") ?? oldFactor
    switch type ?? (factor == nil ? "none" : "linear") {
    case "none": self = .none
    case "linear": self = .linear(factor: factor ?? 1)
    case "yarn":
      self = .yarn(
        try YarnScaling(keys, family, factor: factor, contextLength: contextLength, ropeBase: ropeBase))
    case let other:
      throw ModelSpecError(
        .badHyperparameter,
        "the key \(keys.family).rope.scaling.type is \(quoted(other)), which is not supported; supported: none, linear, yarn"
      )
    }
  }

  /// - Returns: nil also for 0, which writers put where there is none.
  private static func factor(_ keys: KeyReader, _ key: String) throws(ModelSpecError) -> Double? {
    guard let factor = try keys.floatIfPresent(key, in: 0...1e6), factor > 0 else { return nil }
    try keys.require(factor >= 1e-3, key, "is \(factor), below 0.001")
    return factor
  }
}

/// YaRN: low frequencies are divided by a factor, high ones are left alone, those between are mixed.
///
/// Source: Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models" (2023).
public struct YarnScaling: Sendable, Hashable {
  /// How much longer the context has become.
  public let factor: Double
  /// Positions of the context before.
  public let originalContext: Int
  /// Turns within the original context from which a frequency counts as high.
  public let betaFast: Double
  /// Turns within the original context up to which a frequency counts as low.
  public let betaSlow: Double
  /// With m(s) = 1 + 0.1 s ln(factor), cosines and sines are multiplied by m(`rotaryMultiplier`) / m(`logMultiplier`).
  public let logMultiplier: Double
  public let rotaryMultiplier: Double

  init(
    _ keys: KeyReader, _ family: ModelFamily, factor: Double?, contextLength: Int, ropeBase: Double
  ) throws(ModelSpecError) {
    guard let factor else { throw keys.missing("rope.scaling.factor") }
    self.factor = factor
    originalContext = try keys.integer(
      "rope.scaling.original_context_length", in: 1...1 << 28, default: contextLength)
    betaFast = try keys.float("rope.scaling.yarn_beta_fast", in: 1e-3...1e6, default: 32)
    betaSlow = try keys.float("rope.scaling.yarn_beta_slow", in: 1e-3...1e6, default: 1)
    let multiplier = try keys.float("rope.scaling.yarn_log_multiplier", in: 0...100, default: 0)
    switch family.yarn {
    case .standard:
      logMultiplier = multiplier
      rotaryMultiplier = 1
    case .deepSeek:
      // In float32, in which the tenth was taken: what was 1 is 1 again.
      logMultiplier = Double(Float(multiplier) / 0.1)
      rotaryMultiplier = logMultiplier == 0 ? 1 : logMultiplier
    }
    try keys.require(ropeBase > 1, "rope.freq_base", "is \(ropeBase); with YaRN it must be above 1")
  }
}
