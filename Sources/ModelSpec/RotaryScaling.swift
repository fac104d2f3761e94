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
    // The key that older files have.
    let oldFactor = try keys.floatIfPresent("rope.scale_linear", in: 1...1e6)
    let factor = try keys.floatIfPresent("rope.scaling.factor", in: 1...1e6) ?? oldFactor
    let type = try keys.text("rope.scaling.type")
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
  /// With m(s) = 1 + 0.1 s ln(factor), cosines and sines are multiplied by m(1) / m(`logMultiplier`).
  public let logMultiplier: Double

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
    logMultiplier = Double(Float(multiplier) / family.logMultiplierUnit)
    try keys.require(ropeBase > 1, "rope.freq_base", "is \(ropeBase); with YaRN it must be above 1")
  }
}
