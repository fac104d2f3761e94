/// A worker that cannot do what its coordinator wants.
public struct WorkerError: Error, Sendable, CustomStringConvertible {
  /// What kind of thing is wrong.
  public enum Code: Sendable, Hashable {
    /// The share does not fit the model, or the node's memory.
    case badShare
    /// A message that does not belong where it came.
    case protocolViolation
    /// Loading was given up because other orders came.
    case superseded
  }

  public let code: Code
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
