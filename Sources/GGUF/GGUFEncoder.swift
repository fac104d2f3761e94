import Tensors

/// Builds the bytes of a file: little-endian numbers, strings with their length before them.
struct GGUFEncoder {
  var bytes: [UInt8] = []

  mutating func append<Number: FixedWidthInteger>(_ number: Number) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func append(_ string: String) {
    append(UInt64(string.utf8.count))
    bytes.append(contentsOf: string.utf8)
  }

  mutating func pad(to count: Int) {
    bytes.append(contentsOf: repeatElement(0, count: count - bytes.count))
  }

  /// The type's number, then the value; for an array its mark, the elements' type, the count and the elements.
  mutating func append(_ value: GGUFValue, as type: GGUFValueType, key: String) throws(GGUFError) {
    guard case .array(let array) = value else {
      append(type.rawValue)
      return try appendElement(value, as: type, key: key)
    }
    append(GGUFValueType.array.rawValue)
    append(type.rawValue)
    append(UInt64(array.count))
    switch array {
    case .strings(let elements): for element in elements { try appendElement(.string(element), as: type, key: key) }
    case .floats(let elements):
      for element in elements { try appendElement(.float(Double(element)), as: type, key: key) }
    case .doubles(let elements): for element in elements { try appendElement(.float(element), as: type, key: key) }
    case .ints(let elements): for element in elements { try appendElement(.int(element), as: type, key: key) }
    case .uints(let elements): for element in elements { try appendElement(.uint(element), as: type, key: key) }
    case .bools(let elements): for element in elements { try appendElement(.bool(element), as: type, key: key) }
    }
  }

  /// The narrower of 32 and 64 bits that holds all numbers exactly.
  static func defaultType(_ value: GGUFValue) -> GGUFValueType {
    switch value {
    case .uint(let number): UInt32(exactly: number) == nil ? .uint64 : .uint32
    case .int(let number): Int32(exactly: number) == nil ? .int64 : .int32
    case .float(let number): fitsFloat32(number) ? .float32 : .float64
    case .bool, .array(.bools): .bool
    case .string, .array(.strings): .string
    case .array(.floats): .float32
    case .array(.doubles): .float64
    case .array(.ints(let numbers)): numbers.allSatisfy { Int32(exactly: $0) != nil } ? .int32 : .int64
    case .array(.uints(let numbers)): numbers.allSatisfy { UInt32(exactly: $0) != nil } ? .uint32 : .uint64
    }
  }

  private static func fitsFloat32(_ number: Double) -> Bool { number.isNaN || Double(Float(number)) == number }

  private mutating func appendElement(_ value: GGUFValue, as type: GGUFValueType, key: String) throws(GGUFError) {
    switch (type, value) {
    case (.string, .string(let string)): append(string)
    case (.bool, .bool(let bool)): append(UInt8(bool ? 1 : 0))
    case (.float32, .float(let number)): append(Float(number).bitPattern)
    case (.float64, .float(let number)): append(number.bitPattern)
    case (_, .uint(let number)): try appendInteger(number, as: type, key: key)
    case (_, .int(let number)): try appendInteger(number, as: type, key: key)
    default: throw GGUFError(.wrongType, "\(quoted(key)) holds \(value.found), which cannot be stored as \(type)")
    }
  }

  private mutating func appendInteger(
    _ number: some FixedWidthInteger, as type: GGUFValueType, key: String
  ) throws(GGUFError) {
    switch type {
    case .uint8: try append(UInt8(exactly: number), number, type, key)
    case .uint16: try append(UInt16(exactly: number), number, type, key)
    case .uint32: try append(UInt32(exactly: number), number, type, key)
    case .uint64: try append(UInt64(exactly: number), number, type, key)
    case .int8: try append(Int8(exactly: number), number, type, key)
    case .int16: try append(Int16(exactly: number), number, type, key)
    case .int32: try append(Int32(exactly: number), number, type, key)
    case .int64: try append(Int64(exactly: number), number, type, key)
    case .float32, .float64, .bool, .string, .array:
      throw GGUFError(.wrongType, "\(quoted(key)) holds the integer \(number), which cannot be stored as \(type)")
    }
  }

  private mutating func append(
    _ fitting: (some FixedWidthInteger)?, _ number: some FixedWidthInteger, _ type: GGUFValueType, _ key: String
  ) throws(GGUFError) {
    guard let fitting else {
      throw GGUFError(.badValue, "\(quoted(key)) holds the integer \(number), which does not fit \(type)")
    }
    append(fitting)
  }
}
