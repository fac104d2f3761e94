/// Where something stands in a text file.
public struct SourcePosition: Sendable, Hashable, Comparable {
  /// Counted from 1; lines end with a line feed (with or without a carriage return before it).
  public let line: Int
  /// Counted from 1, in Unicode scalars.
  public let column: Int

  /// Both counted from 1.
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  /// Order in the file.
  public static func < (left: Self, right: Self) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }
}
