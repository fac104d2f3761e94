/// What is wrong with a topology, and on which line of its file.
public struct TopologyError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What kind of rule was broken.
  public enum Code: String, Sendable, CaseIterable {
    /// The file is not JSON, or passes one of the limits of the parser.
    case syntax
    /// A key is unknown or missing, or its value is of the wrong type or out of range.
    case value
    /// Values that are right by themselves contradict each other or the model.
    case contradiction
    /// A node is to hold more than its memory limit.
    case memory
  }

  /// What kind of rule was broken.
  public let code: Code
  /// Name of the file as it was given, for the description.
  public let file: String
  /// Where in the file.
  public let position: SourcePosition
  /// What is wrong and what to do, without the position.
  public let message: String

  /// An error at a place.
  public init(_ code: Code, file: String, at position: SourcePosition, _ message: String) {
    self.code = code
    self.file = file
    self.position = position
    self.message = message
  }

  /// Counted from 1.
  public var line: Int { position.line }
  /// Counted from 1, in Unicode scalars.
  public var column: Int { position.column }

  /// `topology.json:12:7: what is wrong; what to do`.
  public var description: String { "\(file):\(line):\(column): \(message)" }
}
