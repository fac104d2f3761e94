public import Tensors

/// Position of a node in `Placement.nodes`; what frames carry instead of names.
public struct NodeIndex: TypedIndex {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }
}
