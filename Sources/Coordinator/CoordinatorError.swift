public import Tensors

/// What went wrong with a job or with the cluster, and at which node.
public struct CoordinatorError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Kinds of failure; the raw values travel to remote clients.
  public enum Code: UInt16, Sendable, Hashable, CaseIterable {
    /// The request contradicts itself, or asks for what does not exist.
    case badRequest = 1
    /// Prompt and answer do not fit the context.
    case promptTooLong = 2
    /// Too many jobs or clients; trying again later may help.
    case busy = 3
    /// A node, or the coordinator, cannot be reached.
    case unreachable = 4
    /// A node, or the coordinator, turned the connection away.
    case refused = 5
    /// Two processes compute by different rules.
    case numericsMismatch = 6
    /// A node could not get its weights, or not in time.
    case prepareFailed = 7
    /// A node that was working is gone.
    case workerLost = 8
    /// A node could not carry out a step.
    case stepFailed = 9
    /// A node, or the coordinator, answered with something that was not asked for.
    case badAnswer = 10
    /// The coordinator is stopping.
    case stopped = 11
    /// The model, or what belongs to it, cannot be used.
    case badModel = 12
    /// A worker process on this machine could not be started.
    case startFailed = 13
  }

  public let code: Code
  /// The node it is about; nil when it is about the job itself.
  public let node: NodeID?
  /// A sentence that names the node and says what happened.
  public let message: String

  public init(_ code: Code, node: NodeID? = nil, _ message: String) {
    self.code = code
    self.node = node
    self.message = message
  }

  public var description: String { message }
}
