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

  public let code: Code
  /// Name of the file as it was given, for the description.
  public let file: String
  public let position: SourcePosition
  /// What is wrong and what to do, without the position.
  public let message: String

  public init(_ code: Code, file: String, at position: SourcePosition, _ message: String) {
    self.code = code
    self.file = file
    self.position = position
    self.message = message
  }

  public var line: Int { position.line }
  public var column: Int { position.column }

  /// `topology.json:12:7: what is wrong; what to do`.
  public var description: String { "\(file):\(line):\(column): \(message)" }
}

/// Something in a topology that works but is hardly meant.
public struct TopologyWarning: Sendable, Hashable, CustomStringConvertible {
  /// Name of the file as it was given, for the description.
  public let file: String
  public let position: SourcePosition
  public let message: String

  public init(file: String, at position: SourcePosition, _ message: String) {
    self.file = file
    self.position = position
    self.message = message
  }

  /// `topology.json:12:7: warning: what is odd`.
  public var description: String { "\(file):\(position.line):\(position.column): warning: \(message)" }
}
