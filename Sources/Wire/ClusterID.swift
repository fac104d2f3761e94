/// Identity of a cluster: 16 random bytes that its coordinator keeps.
public struct ClusterID: Sendable, Hashable, CustomStringConvertible {
  public static let byteCount = 16
  /// The first 8 bytes, and the others.
  public let high: UInt64
  public let low: UInt64

  /// A new identity from the system's random numbers.
  public static func random() -> ClusterID {
    var system = SystemRandomNumberGenerator()
    return ClusterID(high: system.next(), low: system.next())
  }

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Reads 32 hexadecimal digits; nil for anything else.
  public init?(hexadecimal: String) {
    guard hexadecimal.utf8.count == 32, hexadecimal.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D }),
      let high = UInt64(hexadecimal.prefix(16), radix: 16), let low = UInt64(hexadecimal.suffix(16), radix: 16)
    else { return nil }
    self.init(high: high, low: low)
  }

  /// 32 lower-case hexadecimal digits, first byte first.
  public var hexadecimal: String { Self.digits(high) + Self.digits(low) }

  /// The first 8 hexadecimal digits.
  public var description: String { String(hexadecimal.prefix(8)) }

  private static func digits(_ value: UInt64) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 16 - text.utf8.count) + text
  }

  func write(to writer: inout WireWriter) {
    writer.u64(high.byteSwapped)
    writer.u64(low.byteSwapped)
  }

  init(from reader: inout WireReader) throws(WireError) {
    high = try reader.u64("cluster id").byteSwapped
    low = try reader.u64("cluster id").byteSwapped
  }
}
