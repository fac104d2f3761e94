import Tensors

/// A metadata value; the width of a number in the file does not matter here.
public enum GGUFValue: Sendable, Equatable {
  /// uint8, uint16, uint32 or uint64.
  case uint(UInt64)
  /// int8, int16, int32 or int64.
  case int(Int64)
  /// float32 or float64.
  case float(Double)
  /// A byte of 0 or 1.
  case bool(Bool)
  /// Valid UTF-8.
  case string(String)
  /// Elements of one type; arrays of arrays are refused.
  case array(GGUFArray)
}

/// The elements of a metadata array, stored densely: vocabularies have hundreds of thousands of them.
public enum GGUFArray: Sendable, Equatable {
  /// Valid UTF-8 each.
  case strings([String])
  /// float32.
  case floats([Float])
  /// float64.
  case doubles([Double])
  /// int8, int16, int32 or int64.
  case ints([Int64])
  /// uint8, uint16, uint32 or uint64.
  case uints([UInt64])
  /// Bytes of 0 or 1.
  case bools([Bool])

  /// Number of elements.
  public var count: Int {
    switch self {
    case .strings(let elements): elements.count
    case .floats(let elements): elements.count
    case .doubles(let elements): elements.count
    case .ints(let elements): elements.count
    case .uints(let elements): elements.count
    case .bools(let elements): elements.count
    }
  }

  /// The elements' kind as a word for messages.
  var elementKind: String {
    switch self {
    case .strings: "strings"
    case .floats, .doubles: "floats"
    case .ints, .uints: "integers"
    case .bools: "bools"
    }
  }
}

extension GGUFValue {
  /// What was found, for messages: `the integer 5`, `an array of 3 strings`.
  var found: String {
    switch self {
    case .uint(let value): "the integer \(value)"
    case .int(let value): "the integer \(value)"
    case .float(let value): "the float \(value)"
    case .bool(let value): "the bool \(value)"
    case .string(let value): "the string \(quoted(value))"
    case .array(let array): "an array of \(array.count) \(array.elementKind)"
    }
  }
}
