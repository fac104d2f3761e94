/// A value together with the place it was read from, so that a later rule can still name its line.
///
/// A default that stands nowhere has the position of the object it is missing from.
public struct Located<Value: Sendable & Hashable>: Sendable, Hashable {
  /// What was read.
  public let value: Value
  /// Where it stands.
  public let position: SourcePosition

  /// A value and its place.
  public init(_ value: Value, at position: SourcePosition) {
    self.value = value
    self.position = position
  }
}
