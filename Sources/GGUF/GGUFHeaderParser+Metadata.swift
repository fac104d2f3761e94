import Tensors

extension GGUFHeaderParser {
  /// Reads `count` keys with their values.
  mutating func parseMetadata(count: Int) throws(GGUFError) -> GGUFMetadata {
    var keys: [String] = []
    keys.reserveCapacity(count)
    var values: [String: GGUFValue] = [:]
    for index in 0..<count {
      let start = cursor.position
      let key = try cursor.string(limit: limits.keyBytes, "metadata key \(index) of \(count)")
      guard !key.isEmpty else { throw cursor.error(.badValue, "metadata key \(index) has no name", at: start) }
      let type = try parseType("the metadata key \(quoted(key))")
      let value = try parseValue(type, of: key)
      guard values.updateValue(value, forKey: key) == nil else {
        throw cursor.error(.duplicateName, "the metadata key \(quoted(key)) occurs twice", at: start)
      }
      keys.append(key)
    }
    return GGUFMetadata(keys: keys, values: values, file: cursor.path)
  }

  private mutating func parseType(_ what: @autoclosure () -> String) throws(GGUFError) -> GGUFValueType {
    let start = cursor.position
    let number = try cursor.uint32("the type of \(what())")
    guard let type = GGUFValueType(rawValue: number) else {
      throw cursor.error(
        .badValue, "\(what()) has the unknown value type \(number); types 0 to 12 are known", at: start)
    }
    return type
  }

  private mutating func parseValue(_ type: GGUFValueType, of key: String) throws(GGUFError) -> GGUFValue {
    var what: String { "the value of \(quoted(key))" }
    switch type {
    case .uint8: return .uint(UInt64(try cursor.scalar(UInt8.self, what)))
    case .uint16: return .uint(UInt64(try cursor.scalar(UInt16.self, what)))
    case .uint32: return .uint(UInt64(try cursor.scalar(UInt32.self, what)))
    case .uint64: return .uint(try cursor.scalar(UInt64.self, what))
    case .int8: return .int(Int64(try cursor.scalar(Int8.self, what)))
    case .int16: return .int(Int64(try cursor.scalar(Int16.self, what)))
    case .int32: return .int(Int64(try cursor.scalar(Int32.self, what)))
    case .int64: return .int(try cursor.scalar(Int64.self, what))
    case .float32: return .float(Double(Float(bitPattern: try cursor.scalar(UInt32.self, what))))
    case .float64: return .float(Double(bitPattern: try cursor.scalar(UInt64.self, what)))
    case .bool: return .bool(try parseBools(count: 1, of: key)[0])
    case .string: return .string(try cursor.string(limit: limits.stringBytes, what))
    case .array: return .array(try parseArray(of: key))
    }
  }

  private mutating func parseArray(of key: String) throws(GGUFError) -> GGUFArray {
    let start = cursor.position
    let type = try parseType("the elements of \(quoted(key))")
    if type == .array {
      throw cursor.error(.badValue, "\(quoted(key)) is an array of arrays, which no model needs", at: start)
    }
    var what: String { "the elements of \(quoted(key))" }
    let claimed = try cursor.uint64("the length of \(quoted(key))")
    let count = try cursor.checked(
      count: claimed, limit: limits.arrayElements - arrayElements, minimalBytes: type.minimalBytes,
      "elements of the array \(quoted(key))", at: start + 4)
    arrayElements += count
    switch type {
    case .uint8: return .uints(try cursor.scalars(UInt8.self, count: count, what) { UInt64($0) })
    case .uint16: return .uints(try cursor.scalars(UInt16.self, count: count, what) { UInt64($0) })
    case .uint32: return .uints(try cursor.scalars(UInt32.self, count: count, what) { UInt64($0) })
    case .uint64: return .uints(try cursor.scalars(UInt64.self, count: count, what) { $0 })
    case .int8: return .ints(try cursor.scalars(Int8.self, count: count, what) { Int64($0) })
    case .int16: return .ints(try cursor.scalars(Int16.self, count: count, what) { Int64($0) })
    case .int32: return .ints(try cursor.scalars(Int32.self, count: count, what) { Int64($0) })
    case .int64: return .ints(try cursor.scalars(Int64.self, count: count, what) { $0 })
    case .float32: return .floats(try cursor.scalars(UInt32.self, count: count, what) { Float(bitPattern: $0) })
    case .float64: return .doubles(try cursor.scalars(UInt64.self, count: count, what) { Double(bitPattern: $0) })
    case .bool: return .bools(try parseBools(count: count, of: key))
    case .string, .array: return .strings(try parseStrings(count: count, of: key))
    }
  }

  private mutating func parseStrings(count: Int, of key: String) throws(GGUFError) -> [String] {
    var strings: [String] = []
    strings.reserveCapacity(count)
    for index in 0..<count {
      strings.append(try cursor.string(limit: limits.stringBytes, "element \(index) of \(quoted(key))"))
    }
    return strings
  }

  private mutating func parseBools(count: Int, of key: String) throws(GGUFError) -> [Bool] {
    let start = cursor.position
    let numbers = try cursor.scalars(UInt8.self, count: count, "the value of \(quoted(key))") { $0 }
    if let bad = numbers.firstIndex(where: { $0 > 1 }) {
      throw cursor.error(
        .badValue, "\(quoted(key)) holds a bool of \(numbers[bad]); only 0 and 1 are allowed", at: start + bad)
    }
    return numbers.map { $0 == 1 }
  }
}
