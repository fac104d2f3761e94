/// Number type in which keys and values are kept in the KV cache; part of what determines the tokens.
public enum KVType: UInt8, Sendable, Hashable, CaseIterable {
  case f16 = 0
  case f32 = 1
  case q8_0 = 2

  /// Name as on the command line and in topology.json.
  public var name: String { String(describing: self) }
  /// Reads `f16`, `f32` or `q8_0`; nil for anything else.
  public init?(name: String) {
    guard let match = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }
  /// Bytes of one head's key or value: for `q8_0` blocks of 32 elements, the last of which may have room to spare.
  public func byteCount(elements: Int) -> Int {
    switch self {
    case .f16: 2 * elements
    case .f32: 4 * elements
    case .q8_0: (elements + 31) / 32 * 34
    }
  }
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
