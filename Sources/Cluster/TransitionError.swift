public import Tensors

/// A change of placement that does not fit the memory of a node while it is under way.
public struct TransitionError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The node that lacks memory.
  public let node: NodeID
  /// So many bytes more would be enough for the next thing to move.
  public let missingBytes: Int
  /// What does not fit, where, and what to do, as a sentence.
  public let description: String

  init(node: NodeID, missingBytes: Int, _ description: String) {
    self.node = node
    self.missingBytes = missingBytes
    self.description = description
  }
}
