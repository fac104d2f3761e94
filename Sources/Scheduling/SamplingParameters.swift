/// How a token is chosen from logits.
///
/// The stages stand in the order in which they apply: penalties, top-k, top-p, min-p, temperature, draw.
public struct SamplingParameters: Sendable, Hashable, Codable {
  /// Divides the logits before the draw: above 1 more even, below 1 more decided. 0: always the most probable token
  /// (greedy); then top-k, top-p, min-p and the seed have no effect.
  public var temperature: Float
  /// Number of most probable tokens to draw from; 0: no limit.
  public var topK: Int
  /// Draw from the fewest most probable tokens whose probabilities come to this; 1: no limit.
  public var topP: Float
  /// Draw from tokens at least this share as probable as the most probable one; 0: no limit.
  public var minP: Float
  /// Divides the positive and multiplies the negative logits of tokens in the penalty window; 1: none.
  public var repeatPenalty: Float
  /// Taken from a token's logit for each time it occurs in the penalty window.
  public var frequencyPenalty: Float
  /// Taken from a token's logit once if it occurs in the penalty window.
  public var presencePenalty: Float
  /// Number of last tokens, the prompt's included, that penalties look at; 0: no penalties.
  public var penaltyWindow: Int
  /// Together with a token's position decides its draw.
  public var seed: UInt64

  /// The defaults are those of the command line; nothing is checked here, see `validate()`.
  public init(
    temperature: Float = 0.6, topK: Int = 20, topP: Float = 0.9, minP: Float = 0, repeatPenalty: Float = 1.1,
    frequencyPenalty: Float = 0, presencePenalty: Float = 0, penaltyWindow: Int = 64, seed: UInt64 = 0
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repeatPenalty = repeatPenalty
    self.frequencyPenalty = frequencyPenalty
    self.presencePenalty = presencePenalty
    self.penaltyWindow = penaltyWindow
    self.seed = seed
  }

  /// Always the most probable token, without penalties.
  public static let greedy = SamplingParameters(temperature: 0, topK: 0, topP: 1, minP: 0, repeatPenalty: 1)

  /// The longest penalty window; it bounds what is kept, and sent, of a sequence's past.
  public static let penaltyWindowMax = 4096

  /// Whether the logits of earlier tokens are changed at all.
  public var hasPenalties: Bool {
    penaltyWindow > 0 && (repeatPenalty != 1 || frequencyPenalty != 0 || presencePenalty != 0)
  }

  /// Checks every field.
  /// - Throws: `badRequest`, naming the first field that is out of its range, its value and the range; NaN is in none.
  public func validate() throws(SchedulingError) {
    try Self.check("temperature", temperature, 0...100)
    try Self.check("topK", topK, 0...Int(Int32.max))
    try Self.check("topP", topP, 0...1)
    try Self.check("minP", minP, 0...1)
    try Self.check("repeatPenalty", repeatPenalty, 0.01...100)
    try Self.check("frequencyPenalty", frequencyPenalty, -100...100)
    try Self.check("presencePenalty", presencePenalty, -100...100)
    try Self.check("penaltyWindow", penaltyWindow, 0...Self.penaltyWindowMax)
  }

  private static func check<Value: Comparable>(
    _ name: String, _ value: Value, _ range: ClosedRange<Value>
  ) throws(SchedulingError) {
    guard !range.contains(value) else { return }
    throw SchedulingError(
      .badRequest,
      "the sampling parameter \(name) is \(value); it must be from \(range.lowerBound) to \(range.upperBound)")
  }
}
