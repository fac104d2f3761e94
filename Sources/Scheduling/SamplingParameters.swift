/// How a token is chosen from logits.
public struct SamplingParameters: Sendable, Hashable, Codable {
  public var temperature: Float = 0.6
  public var topK: Int = 20
  public var topP: Float = 0.9
  public var minP: Float = 0
  public var repeatPenalty: Float = 1.1
  public var frequencyPenalty: Float = 0
  public var presencePenalty: Float = 0
  public var penaltyWindow: Int = 64
  public var seed: UInt64 = 0

  public init() {}
}
