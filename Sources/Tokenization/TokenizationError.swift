/// Why no tokenizer could be made from a model's metadata: what is wrong, at which key, and what to do.
public struct TokenizationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of failure, for callers that react to it.
  public enum Code: Sendable, Hashable {
    /// A key is missing or holds a value of another type.
    case badMetadata
    /// A kind of tokenizer that is not built in.
    case unsupported
    /// A count or length above `TokenizerLimits`.
    case limitExceeded
    /// Tokens, token types and merges that contradict each other.
    case badVocabulary
    /// The id of a special token that is not in the vocabulary, or one that is needed and not stated.
    case badSpecialToken
  }

  /// The kind of failure.
  public let code: Code
  /// A sentence that names the metadata key it is about.
  public let message: String

  /// - Parameter message: a sentence for whoever chose the model file.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// The message.
  public var description: String { message }
}
