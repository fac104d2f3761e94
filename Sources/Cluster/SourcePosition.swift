/// Where something stands in a text file.
public struct SourcePosition: Sendable, Hashable, Comparable {
  /// Counted from 1; lines end with a line feed (with or without a carriage return before it).
  public let line: Int
  /// Counted from 1, in Unicode scalars.
  public let column: Int

  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }
}

/// A value together with the place it was read from, so that a later rule can still name its line.
///
/// A default that stands nowhere has the position of the object it is missing from.
public struct Located<Value: Sendable & Hashable>: Sendable, Hashable {
  public let value: Value
  public let position: SourcePosition

  public init(_ value: Value, at position: SourcePosition) {
    self.value = value
    self.position = position
  }
}
