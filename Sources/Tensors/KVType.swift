/// Number type in which keys and values are kept in the KV cache; part of what determines the tokens.
public enum KVType: UInt8, Sendable, Hashable, CaseIterable {
  case f16 = 0
  case f32 = 1

  /// Name as on the command line and in topology.json.
  public var name: String { String(describing: self) }
  /// Reads `f16` or `f32`; nil for anything else.
  public init?(name: String) {
    guard let match = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }
  /// Bytes of one element.
  public var elementBytes: Int { self == .f16 ? 2 : 4 }
  /// Positions in one KV block, and in one tile of attention (docs/numerics.md).
  public static let blockPositions = 64
}

/// Grid on which the partial sums of the experts are added; part of what determines the tokens.
public enum CombineMode: UInt8, Sendable, Hashable, CaseIterable {
  /// 2^-24 of the residual's magnitude, about 3 bytes an element.
  case exact = 0
  /// 2^-14 of the residual's magnitude, mostly 2 bytes an element.
  case compact = 1

  /// Name as in topology.json.
  public var name: String { String(describing: self) }
  /// Added to floor(log2 m) to give the grid's exponent (docs/numerics.md).
  public var gridShift: Int32 { self == .exact ? -24 : -14 }
}
