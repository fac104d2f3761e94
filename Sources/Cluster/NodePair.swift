public import Tensors

/// Two nodes, in no order; for instance two that cannot reach each other.
public struct NodePair: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The one with the lower name.
  public let lower: NodeID
  /// The one with the higher name.
  public let higher: NodeID

  /// Two nodes in any order.
  public init(_ one: NodeID, _ other: NodeID) {
    (lower, higher) = one < other ? (one, other) : (other, one)
  }

  /// Order by the lower names, then by the higher ones.
  public static func < (left: Self, right: Self) -> Bool {
    (left.lower, left.higher) < (right.lower, right.higher)
  }

  public var description: String { "\(lower) and \(higher)" }
}
