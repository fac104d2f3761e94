public import Tensors

/// Position of a node in `Placement.nodes`; what frames carry instead of names.
public struct NodeIndex: TypedIndex {
  /// The position, counted from 0.
  public let rawValue: Int
  /// The node at a position.
  public init(rawValue: Int) { self.rawValue = rawValue }
}
