/// A step or a request that the engine cannot carry out.
public struct EngineError: Error, Sendable, CustomStringConvertible {
  /// What kind of thing is wrong.
  public enum Code: Sendable, Hashable {
    /// The forward pass met a bad value or lacks weights.
    case forward
    /// A step, hand-over or answer does not fit what this node is doing.
    case protocolViolation
    /// The step before this one was dropped.
    case stepDropped
    /// More positions or sequences than the KV cache was made for.
    case capacity
    /// A node that was asked for experts is gone.
    case peerLost
    /// The sampler cannot choose a token.
    case sampling
  }

  public let code: Code
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
