import Tensors

/// The keys and values of a model; of a split model, those of its first file.
///
/// The typed accessors accept any width of number that holds the value; their errors name the key, what was found and
/// what is needed.
public struct GGUFMetadata: Sendable {
  /// Keys in the order of the file.
  public let keys: [String]
  private let values: [String: GGUFValue]
  private let file: String?

  /// - Parameters:
  ///   - keys: the keys of `values` in the order of the file.
  ///   - file: path for error messages.
  init(keys: [String], values: [String: GGUFValue], file: String?) {
    self.keys = keys
    self.values = values
    self.file = file
  }

  /// The value as it stands in the file; nil when there is none.
  public subscript(key: String) -> GGUFValue? { values[key] }

  /// The string under `key`.
  /// - Throws: `missingKey`, `wrongType`.
  public func string(_ key: String) throws(GGUFError) -> String {
    try required(key, "a string", stringIfPresent(key))
  }

  /// The string under `key`; nil when the key is missing.
  /// - Throws: `wrongType`.
  public func stringIfPresent(_ key: String) throws(GGUFError) -> String? {
    guard let value = values[key] else { return nil }
    guard case .string(let string) = value else { throw wrongType(key, value, "a string") }
    return string
  }

  /// The integer under `key`, of any width and sign in the file.
  /// - Throws: `missingKey`, `wrongType`, `badValue` when the value is outside `range`.
  public func integer(_ key: String, in range: ClosedRange<Int>) throws(GGUFError) -> Int {
    try required(key, "an integer \(words(range))", integerIfPresent(key, in: range))
  }

  /// The integer under `key`; nil when the key is missing.
  /// - Throws: `wrongType`, `badValue` when the value is outside `range`.
  public func integerIfPresent(_ key: String, in range: ClosedRange<Int>) throws(GGUFError) -> Int? {
    guard let value = values[key] else { return nil }
    let integer: Int?
    switch value {
    case .uint(let number): integer = Int(exactly: number)
    case .int(let number): integer = Int(exactly: number)
    default: throw wrongType(key, value, "an integer \(words(range))")
    }
    guard let integer, range.contains(integer) else {
      throw error(.badValue, key, "holds \(value.found); it must be an integer \(words(range))")
    }
    return integer
  }

  /// The value as float32; an integer is converted.
  /// - Throws: `missingKey`, `wrongType`, `badValue` when the value is not finite.
  public func float(_ key: String) throws(GGUFError) -> Float {
    try required(key, "a float", floatIfPresent(key))
  }

  /// The value as float32, nil when the key is missing; an integer is converted.
  /// - Throws: `wrongType`, `badValue` when the value is not finite.
  public func floatIfPresent(_ key: String) throws(GGUFError) -> Float? {
    guard let value = values[key] else { return nil }
    let float: Float
    switch value {
    case .float(let number): float = Float(number)
    case .uint(let number): float = Float(number)
    case .int(let number): float = Float(number)
    default: throw wrongType(key, value, "a float")
    }
    guard float.isFinite else { throw error(.badValue, key, "holds \(value.found); it must be a finite float32") }
    return float
  }

  /// The bool under `key`.
  /// - Throws: `missingKey`, `wrongType`.
  public func bool(_ key: String) throws(GGUFError) -> Bool {
    try required(key, "a bool", boolIfPresent(key))
  }

  /// The bool under `key`; nil when the key is missing.
  /// - Throws: `wrongType`.
  public func boolIfPresent(_ key: String) throws(GGUFError) -> Bool? {
    guard let value = values[key] else { return nil }
    guard case .bool(let bool) = value else { throw wrongType(key, value, "a bool") }
    return bool
  }

  /// The array of strings under `key`, such as a vocabulary. Swift compares strings by canonical
  /// equivalence: two tokens may be equal as `String` and differ in their bytes.
  /// - Throws: `missingKey`, `wrongType`.
  public func strings(_ key: String) throws(GGUFError) -> [String] {
    try required(key, "an array of strings", stringsIfPresent(key))
  }

  /// The array of strings under `key`; nil when the key is missing.
  /// - Throws: `wrongType`.
  public func stringsIfPresent(_ key: String) throws(GGUFError) -> [String]? {
    guard let value = values[key] else { return nil }
    guard case .array(.strings(let strings)) = value else { throw wrongType(key, value, "an array of strings") }
    return strings
  }

  /// The elements as float32, not checked to be finite; a float64 is rounded. Nil when the key is missing.
  /// - Throws: `wrongType`.
  public func floatsIfPresent(_ key: String) throws(GGUFError) -> [Float]? {
    guard let value = values[key] else { return nil }
    switch value {
    case .array(.floats(let floats)): return floats
    case .array(.doubles(let doubles)): return doubles.map { Float($0) }
    default: throw wrongType(key, value, "an array of floats")
    }
  }

  /// The elements of an integer array, nil when the key is missing; a single integer is `wrongType`.
  /// - Throws: `wrongType`, `badValue` when an element is above `Int.max`.
  public func integersIfPresent(_ key: String) throws(GGUFError) -> [Int]? {
    guard let value = values[key] else { return nil }
    switch value {
    case .array(.ints(let integers)): return integers.map { Int($0) }
    case .array(.uints(let integers)):
      if let large = integers.first(where: { $0 > UInt64(Int.max) }) {
        throw error(.badValue, key, "holds the integer \(large); at most \(Int.max) is allowed")
      }
      return integers.map { Int($0) }
    default: throw wrongType(key, value, "an array of integers")
    }
  }

  private func required<Value>(_ key: String, _ needed: String, _ value: Value?) throws(GGUFError) -> Value {
    guard let value else {
      throw GGUFError(.missingKey, "the metadata key \(quoted(key)) is missing; it must be \(needed)", file: file)
    }
    return value
  }

  private func wrongType(_ key: String, _ value: GGUFValue, _ needed: String) -> GGUFError {
    error(.wrongType, key, "holds \(value.found); it must be \(needed)")
  }

  private func error(_ code: GGUFError.Code, _ key: String, _ message: String) -> GGUFError {
    GGUFError(code, "the metadata key \(quoted(key)) \(message)", file: file)
  }

  private func words(_ range: ClosedRange<Int>) -> String {
    range.upperBound == .max ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
  }
}
