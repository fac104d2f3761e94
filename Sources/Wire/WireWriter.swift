/// Collects the bytes of one payload, little-endian.
public struct WireWriter {
  /// What has been written.
  public private(set) var bytes: [UInt8]

  /// - Parameter headerBytes: zero bytes to leave in front, for a header that is filled in later.
  public init(headerBytes: Int = 0) { bytes = [UInt8](repeating: 0, count: headerBytes) }

  /// Gives the bytes away, so that a header can be filled in without a copy.
  public consuming func take() -> [UInt8] { bytes }

  /// Writes an integer of a fixed width.
  public mutating func integer<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// Writes an unsigned integer of one byte.
  public mutating func u8(_ value: UInt8) { bytes.append(value) }
  /// Writes an unsigned integer of two bytes.
  public mutating func u16(_ value: UInt16) { integer(value) }
  /// Writes an unsigned integer of four bytes.
  public mutating func u32(_ value: UInt32) { integer(value) }
  /// Writes an unsigned integer of eight bytes.
  public mutating func u64(_ value: UInt64) { integer(value) }
  /// Writes 0 or 1 as a byte.
  public mutating func bool(_ value: Bool) { bytes.append(value ? 1 : 0) }
  /// Writes a float32.
  public mutating func float(_ value: Float) { integer(value.bitPattern) }

  /// A count, a size or an index as an u32; it must fit.
  public mutating func int(_ value: Int) { integer(UInt32(value)) }

  /// A count of bytes as an u64; it must not be negative.
  public mutating func long(_ value: Int) { integer(UInt64(value)) }

  /// Writes bytes that are zero.
  public mutating func zeros(_ count: Int) { bytes.append(contentsOf: repeatElement(0, count: count)) }

  /// Writes bytes as they are.
  public mutating func raw(_ source: UnsafeRawBufferPointer) { bytes.append(contentsOf: source) }

  /// Text with its length in front; cut at a character when it is longer than `limit`.
  public mutating func string(_ text: String, limit: Int = WireLimits.stringBytes) {
    let kept = text.utf8.count <= limit ? text : Self.cut(text, to: limit)
    int(kept.utf8.count)
    bytes.append(contentsOf: kept.utf8)
  }

  /// A list with its count in front.
  public mutating func list<T>(_ elements: [T], _ element: (inout WireWriter, T) -> Void) {
    int(elements.count)
    for value in elements { element(&self, value) }
  }

  private static func cut(_ text: String, to limit: Int) -> String {
    var result = ""
    var count = 0
    for scalar in text.unicodeScalars {
      count += UTF8.width(scalar)
      if count > limit { break }
      result.unicodeScalars.append(scalar)
    }
    return result
  }
}
