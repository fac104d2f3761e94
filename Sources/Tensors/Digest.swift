/// A SHA-256 digest: 32 bytes that name a piece of weights, or a whole model, by its content.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
  public static let byteCount = 32
  /// Always `byteCount` bytes.
  public let bytes: [UInt8]

  /// Fails unless there are exactly 32 bytes.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = Array(bytes)
  }

  /// Reads 64 hexadecimal digits; fails on anything else.
  public init?(hexadecimal: String) {
    let digits = hexadecimal.utf8.map { $0.hexadecimalValue }
    guard digits.count == 2 * Self.byteCount, !digits.contains(nil) else { return nil }
    bytes = stride(from: 0, to: digits.count, by: 2).map { (digits[$0] ?? 0) << 4 | (digits[$0 + 1] ?? 0) }
  }

  /// 64 lower-case hexadecimal digits.
  public var hexadecimal: String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }

  /// The first 12 hexadecimal digits, enough to tell digests apart in a message.
  public var description: String { String(hexadecimal.prefix(12)) }
}

extension UInt8 {
  fileprivate var hexadecimalValue: UInt8? {
    switch self {
    case 0x30...0x39: self - 0x30
    case 0x61...0x66: self - 0x61 + 10
    case 0x41...0x46: self - 0x41 + 10
    default: nil
    }
  }
}
