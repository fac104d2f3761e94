/// The alphabet in which byte-level vocabularies write bytes as characters (GPT-2's `bytes_to_unicode`): a printable
/// Latin-1 byte is the character of that value, the other 68 bytes are U+0100 and up in order.
enum ByteAlphabet {
  /// Scalar value of each of the 256 bytes.
  static let scalars: [UInt32] = {
    var next: UInt32 = 0x100
    return (UInt32(0)...255).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
      default:
        defer { next += 1 }
        return next
      }
    }
  }()

  /// Byte of each scalar value below U+0144; -1 where there is none.
  private static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = Int16(byte) }
    return bytes
  }()

  /// The byte that a scalar stands for; nil when the scalar is not in the alphabet.
  static func byte(of scalar: Unicode.Scalar) -> UInt8? {
    guard scalar.value < 0x144 else { return nil }
    let byte = bytes[Int(scalar.value)]
    return byte < 0 ? nil : UInt8(byte)
  }

  /// UTF-8 of the character of a byte.
  static func utf8(of byte: UInt8) -> [UInt8] {
    let scalar = scalars[Int(byte)]
    return scalar < 0x80 ? [UInt8(scalar)] : [UInt8(0xC0 | scalar >> 6), UInt8(0x80 | scalar & 0x3F)]
  }

  /// The bytes that a text in the alphabet stands for; nil when it has other characters.
  static func bytes(of text: ArraySlice<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      guard let byte = byte(of: scalar) else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  /// Whether the byte occurs in UTF-8; a vocabulary can do without the others.
  static func isUsedByUTF8(_ byte: UInt8) -> Bool {
    switch byte {
    case 0xC0, 0xC1, 0xF5...0xFF: false
    default: true
    }
  }
}
