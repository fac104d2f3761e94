public import Tensors

/// A token that was chosen.
public struct SampledToken: Sendable, Hashable {
  /// The token's id.
  public let token: TokenID
  /// Natural logarithm of the token's probability in the model's own distribution: the softmax of all logits before
  /// mask, penalties and temperature.
  public let logProbability: Float

  /// - Parameter logProbability: natural logarithm, at most 0 but for rounding.
  public init(token: TokenID, logProbability: Float) {
    self.token = token
    self.logProbability = logProbability
  }
}
