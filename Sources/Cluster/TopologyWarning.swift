/// Something in a topology that works but is hardly meant.
public struct TopologyWarning: Sendable, Hashable, CustomStringConvertible {
  /// Name of the file as it was given, for the description.
  public let file: String
  /// Where in the file.
  public let position: SourcePosition
  /// What is odd, without the position.
  public let message: String

  /// A warning at a place.
  public init(file: String, at position: SourcePosition, _ message: String) {
    self.file = file
    self.position = position
    self.message = message
  }

  /// `topology.json:12:7: warning: what is odd`.
  public var description: String { "\(file):\(position.line):\(position.column): warning: \(message)" }
}
