public import Tensors

/// Why no token could be chosen.
public struct SamplingError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of failure, for callers that react to it.
  public enum Code: Sendable, Hashable {
    /// A parameter is out of its range.
    case badParameters
    /// There are no logits, or more than token ids.
    case badLogits
    /// The model's logit of a token is NaN or infinite.
    case nonFiniteLogit(TokenID)
    /// The mask excludes every token.
    case nothingAllowed
  }

  /// The kind of failure.
  public let code: Code
  /// A sentence that names the token, parameter or position it is about.
  public let message: String

  /// - Parameter message: a sentence for whoever reads the log.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// The message.
  public var description: String { message }
}
