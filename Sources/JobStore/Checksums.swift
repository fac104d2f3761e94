/// The cyclic redundancy checks of the journal. They find damage; they do not keep out forgers.
///
/// Both work on reflected bits, start with all ones and end inverted. Sources: CRC-32C (Castagnoli) as in RFC 3720,
/// appendix B.4; CRC-64/XZ as in "The .xz File Format", section 6.
enum Checksums {
  private static let table32: [UInt32] = (0..<256).map { shifted(UInt32($0), polynomial: 0x82F6_3B78) }

  /// Eight tables of 256 values: the k-th says what a byte does that k more bytes follow.
  private static let table64: [UInt64] = {
    var table: [UInt64] = (0..<256).map { shifted(UInt64($0), polynomial: 0xC96C_5795_D787_0F42) }
    for index in 256..<2048 {
      let shorter = table[index - 256]
      table.append((shorter >> 8) ^ table[Int(shorter & 255)])
    }
    return table
  }()

  /// What eight bits do.
  private static func shifted<Word: FixedWidthInteger>(_ byte: Word, polynomial: Word) -> Word {
    var value = byte
    for _ in 0..<8 {
      let isOdd = value & 1 == 1
      value >>= 1
      if isOdd { value ^= polynomial }
    }
    return value
  }

  /// CRC-32C; for the few bytes of a record's head.
  static func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    let value = bytes.reduce(~UInt32(0)) { value, byte in
      (value >> 8) ^ table32[Int(UInt8(truncatingIfNeeded: value) ^ byte)]
    }
    return ~value
  }

  /// CRC-64/XZ, eight bytes at a time.
  static func crc64(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    table64.withUnsafeBufferPointer { table in
      var value = ~UInt64(0)
      var position = 0
      while position + 8 <= bytes.count {
        let word = value ^ UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        value = 0
        for byte in 0..<8 {
          value ^= table[(7 - byte) * 256 + Int(UInt8(truncatingIfNeeded: word >> UInt64(8 * byte)))]
        }
        position += 8
      }
      for byte in bytes[position...] {
        value = (value >> 8) ^ table[Int(UInt8(truncatingIfNeeded: value) ^ byte)]
      }
      return ~value
    }
  }
}
