/// An index with a meaning of its own, so that a layer cannot be passed where an expert is expected.
///
/// Conforming types are structs around one `Int`; ranges of them can be looped over.
public protocol TypedIndex: RawRepresentable, Hashable, Strideable, Sendable, ExpressibleByIntegerLiteral,
  CustomStringConvertible
where RawValue == Int, Stride == Int, IntegerLiteralType == Int {
  init(rawValue: Int)
}

extension TypedIndex {
  public init(_ value: Int) { self.init(rawValue: value) }
  public init(integerLiteral value: Int) { self.init(rawValue: value) }
  public func distance(to other: Self) -> Int { other.rawValue - rawValue }
  public func advanced(by amount: Int) -> Self { Self(rawValue: rawValue + amount) }
  public var description: String { String(rawValue) }
}

/// Index of a transformer layer in the whole model, counted from 0.
public struct LayerIndex: TypedIndex {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }
}

/// Index of a routed expert inside its layer, counted from 0.
public struct ExpertIndex: TypedIndex {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }
}
