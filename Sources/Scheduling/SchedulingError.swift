/// Why a sequence was not admitted, or why a step's results do not answer the step.
public struct SchedulingError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Code: Sendable, Hashable {
    /// The prompt has no tokens.
    case emptyPrompt
    /// The prompt does not fit the context.
    case promptTooLong
    /// A token is outside the vocabulary.
    case unknownToken
    /// A number of the request contradicts another one.
    case badRequest
    /// The waiting queue is full.
    case queueFull
    /// The step is not in flight.
    case unknownStep
    /// The results are not those that the step asked for.
    case badResult
  }

  public let code: Code
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
