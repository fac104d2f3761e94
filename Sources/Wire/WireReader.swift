/// A cursor over the bytes of one payload that checks every read.
///
/// Little-endian, nothing assumed about alignment. The memory must outlive the reader.
public struct WireReader {
  private let bytes: UnsafeRawBufferPointer
  /// Bytes read so far.
  public private(set) var offset = 0

  public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Bytes not yet read.
  public var remaining: Int { bytes.count - offset }

  /// Reads an integer of a fixed width.
  public mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ field: StaticString) throws(WireError) -> T {
    let size = MemoryLayout<T>.size
    guard size <= remaining else { throw truncated(field, needs: size) }
    defer { offset += size }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  /// Reads an unsigned integer of one byte.
  public mutating func u8(_ field: StaticString) throws(WireError) -> UInt8 { try integer(field) }
  /// Reads an unsigned integer of two bytes.
  public mutating func u16(_ field: StaticString) throws(WireError) -> UInt16 { try integer(field) }
  /// Reads an unsigned integer of four bytes.
  public mutating func u32(_ field: StaticString) throws(WireError) -> UInt32 { try integer(field) }
  /// Reads an unsigned integer of eight bytes.
  public mutating func u64(_ field: StaticString) throws(WireError) -> UInt64 { try integer(field) }

  /// A byte that is 0 or 1.
  public mutating func bool(_ field: StaticString) throws(WireError) -> Bool {
    let value = try u8(field)
    guard value <= 1 else { throw bad("\(field) is \(value), it may be 0 or 1", back: 1) }
    return value == 1
  }

  /// An u32 in `range`.
  public mutating func int(_ field: StaticString, in range: ClosedRange<Int>) throws(WireError) -> Int {
    let value = Int(try u32(field))
    guard range.contains(value) else {
      throw WireError(
        value > range.upperBound ? .overLimit : .badValue,
        "\(field) is \(value), it may be \(range.lowerBound) to \(range.upperBound)", offset: offset - 4)
    }
    return value
  }

  /// An u64 of at most `limit`.
  public mutating func long(_ field: StaticString, limit: Int = WireLimits.byteCount) throws(WireError) -> Int {
    let value = try u64(field)
    guard let result = Int(exactly: value), result <= limit else {
      throw WireError(.overLimit, "\(field) is \(value), at most \(limit) is allowed", offset: offset - 8)
    }
    return result
  }

  /// A float32, any bits.
  public mutating func float(_ field: StaticString) throws(WireError) -> Float {
    Float(bitPattern: try u32(field))
  }

  /// A float32 that is neither infinite nor NaN.
  public mutating func finiteFloat(_ field: StaticString) throws(WireError) -> Float {
    let value = try float(field)
    guard value.isFinite else { throw bad("\(field) is not a finite number", back: 4) }
    return value
  }

  /// A one-byte enumeration.
  public mutating func enumeration<T: RawRepresentable>(
    _ field: StaticString
  ) throws(WireError) -> T where T.RawValue == UInt8 {
    let raw = try u8(field)
    guard let value = T(rawValue: raw) else { throw bad("\(field) has no value \(raw)", back: 1) }
    return value
  }

  /// Bytes that must be zero.
  public mutating func zeros(_ count: Int, _ field: StaticString) throws(WireError) {
    for byte in try raw(count, field) where byte != 0 {
      throw bad("\(field) must be zero", back: count)
    }
  }

  /// The next `count` bytes, in place.
  public mutating func raw(_ count: Int, _ field: StaticString) throws(WireError) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remaining else { throw truncated(field, needs: count) }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }

  /// A count (u32) of things that take at least `elementBytes` each, checked against what is left of the payload.
  public mutating func count(
    _ field: StaticString, limit: Int, elementBytes: Int
  ) throws(WireError) -> Int {
    let count = Int(try u32(field))
    guard count <= limit else {
      throw WireError(.overLimit, "\(field) counts \(count), at most \(limit) are allowed", offset: offset - 4)
    }
    guard count <= remaining / max(elementBytes, 1) else {
      throw WireError(
        .truncated, "\(field) counts \(count), but only \(remaining) bytes are left", offset: offset - 4)
    }
    return count
  }

  /// A list: its count (u32), then its elements.
  public mutating func list<T>(
    _ field: StaticString, limit: Int, elementBytes: Int,
    _ element: (inout WireReader) throws(WireError) -> T
  ) throws(WireError) -> [T] {
    let count = try count(field, limit: limit, elementBytes: elementBytes)
    var result: [T] = []
    result.reserveCapacity(count)
    for _ in 0..<count { result.append(try element(&self)) }
    return result
  }

  /// UTF-8 text: its length in bytes (u32), then the bytes.
  public mutating func string(
    _ field: StaticString, limit: Int = WireLimits.stringBytes
  ) throws(WireError) -> String {
    let count = try count(field, limit: limit, elementBytes: 1)
    let start = offset
    let text = try raw(count, field)
    guard let string = String(validating: text, as: UTF8.self) else {
      throw WireError(.badText, "\(field) is not UTF-8", offset: start)
    }
    return string
  }

  /// Fails when something is left over.
  public func finish() throws(WireError) {
    guard remaining == 0 else {
      throw WireError(.trailingBytes, "\(remaining) bytes follow the end of the message", offset: offset)
    }
  }

  /// An error about the value that ended at the cursor and took `back` bytes.
  public func bad(_ message: String, back: Int = 0) -> WireError {
    WireError(.badValue, message, offset: max(0, offset - back))
  }

  private func truncated(_ field: StaticString, needs count: Int) -> WireError {
    WireError(.truncated, "\(field) needs \(count) bytes, \(remaining) are left", offset: offset)
  }
}
