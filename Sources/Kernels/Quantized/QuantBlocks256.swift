/// Q4_K: float16 scale and minimum, eight 6-bit sub-scales and sub-minimums in 12 bytes, 256 nibbles in 128 bytes.
///
/// Of each 32 bytes of nibbles the low ones are a sub-block of 32, the high ones the next.
enum BlockQ4_K: QuantBlock {
  static let elements = 256
  static let byteCount = 144
  static let subBlockElements = 32
  static let hasMinimum = true

  static func unpack(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    unpackSubScales(source + 4, into: block)
    for pair in 0..<4 {
      for index in 0..<32 {
        let byte = source.byte(16 + 32 * pair + index)
        block.codes[64 * pair + index] = byte & 15
        block.codes[64 * pair + 32 + index] = byte >> 4
      }
    }
    return BlockScales(scale: source.half(0), minimum: source.half(2))
  }

  /// Bytes 0...3 hold the low 6 bits of sub-scales 0...3, bytes 4...7 those of the sub-minimums; bytes 8...11 hold the
  /// low 4 bits of sub-scales (low nibble) and sub-minimums (high nibble) 4...7, whose upper 2 bits are the upper 2
  /// bits of bytes 0...7.
  static func unpackSubScales(_ bytes: UnsafeRawPointer, into block: UnpackedBlock) {
    for index in 0..<4 {
      let (scale, minimum, rest) = (bytes.byte(index), bytes.byte(4 + index), bytes.byte(8 + index))
      block.subScales[index] = scale & 63
      block.subMinimums[index] = minimum & 63
      block.subScales[4 + index] = rest & 15 | (scale >> 6) << 4
      block.subMinimums[4 + index] = rest >> 4 | (minimum >> 6) << 4
    }
  }
}

/// Q5_K: as Q4_K, with a fifth bit for each element: bit j of byte l (of 32) belongs to element l of sub-block j.
enum BlockQ5_K: QuantBlock {
  static let elements = 256
  static let byteCount = 176
  static let subBlockElements = 32
  static let hasMinimum = true

  static func unpack(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    BlockQ4_K.unpackSubScales(source + 4, into: block)
    for pair in 0..<4 {
      for index in 0..<32 {
        let byte = source.byte(48 + 32 * pair + index)
        let high = source.byte(16 + index) >> Int32(2 * pair)
        block.codes[64 * pair + index] = byte & 15 | (high & 1) << 4
        block.codes[64 * pair + 32 + index] = byte >> 4 | (high >> 1 & 1) << 4
      }
    }
    return BlockScales(scale: source.half(0), minimum: source.half(2))
  }
}

/// Q6_K: 128 bytes of low nibbles, 64 bytes of upper 2 bits, sixteen int8 sub-scales, float16 scale; elements minus 32.
///
/// A half (128 elements) has 64 bytes of nibbles, low ones for its first 64 elements, high ones for the last 64, and 32
/// bytes of upper bits: bits 2k and 2k + 1 of byte l belong to element 32 k + l.
enum BlockQ6_K: QuantBlock {
  static let elements = 256
  static let byteCount = 210
  static let subBlockElements = 16
  static let hasMinimum = false

  static func unpack(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    for half in 0..<2 {
      for index in 0..<128 {
        let nibbles = source.byte(64 * half + index % 64) >> (index < 64 ? 0 : 4)
        let upper = source.byte(128 + 32 * half + index % 32) >> Int32(index / 32 * 2)
        block.codes[128 * half + index] = (nibbles & 15 | (upper & 3) << 4) - 32
      }
    }
    for index in 0..<16 {
      block.subScales[index] = Int32(source.load(fromByteOffset: 192 + index, as: Int8.self))
    }
    return BlockScales(scale: source.half(208))
  }
}
