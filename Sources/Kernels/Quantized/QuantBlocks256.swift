/// The layouts of blocks of 256.
enum QuantBlocks256 {
  /// Q2_K: sixteen bytes with a 4-bit sub-scale (low) and sub-minimum (high), 64 bytes of 2-bit codes, float16 scale
  /// and minimum.
  static func q2_K(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    for index in 0..<16 {
      block.subScales[index] = source.byte(index) & 15
      block.subMinimums[index] = source.byte(index) >> 4
    }
    for index in 0..<256 { block.codes[index] = twoBits(source + 16, index) }
    return BlockScales(scale: source.half(80), minimum: source.half(82))
  }

  /// Q3_K: a third bit for each element in 32 bytes, 64 bytes of 2-bit codes, sixteen 6-bit sub-scales in 12 bytes,
  /// float16 scale; codes minus 4, sub-scales minus 32.
  ///
  /// Bit j of byte l belongs to element 32 j + l. Of the sub-scales, 8 bytes hold the low 4 bits: low nibbles those of
  /// sub-scales 0...7, high ones those of 8...15; bits 2 k and 2 k + 1 of byte l of the rest are the upper ones of
  /// sub-scale 4 k + l.
  static func q3_K(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    for index in 0..<16 {
      let low = source.byte(96 + index % 8) >> (index < 8 ? 0 : 4)
      let upper = source.byte(104 + index % 4) >> Int32(index / 4 * 2)
      block.subScales[index] = (low & 15 | (upper & 3) << 4) - 32
    }
    for index in 0..<256 {
      let third = source.byte(index % 32) >> Int32(index / 32) & 1
      block.codes[index] = (twoBits(source + 32, index) | third << 2) - 4
    }
    return BlockScales(scale: source.half(108))
  }

  /// Q4_K: float16 scale and minimum, eight 6-bit sub-scales and sub-minimums in 12 bytes, 256 nibbles in 128 bytes.
  ///
  /// Of each 32 bytes of nibbles the low ones are a sub-block of 32, the high ones the next.
  static func q4_K(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
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

  /// Q5_K: as Q4_K, with a fifth bit for each element: bit j of byte l (of 32) belongs to element l of sub-block j.
  static func q5_K(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    unpackSubScales(source + 4, into: block)
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

  /// Q6_K: 128 bytes of low nibbles, 64 bytes of upper 2 bits, sixteen int8 sub-scales, float16 scale; codes minus 32.
  ///
  /// A half (128 elements) has 64 bytes of nibbles, low ones for its first 64 elements, high ones for the last 64, and
  /// 32 bytes of upper bits.
  static func q6_K(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    for half in 0..<2 {
      for index in 0..<128 {
        let nibbles = source.byte(64 * half + index % 64) >> (index < 64 ? 0 : 4)
        let upper = twoBits(source + 128, 128 * half + index)
        block.codes[128 * half + index] = (nibbles & 15 | upper << 4) - 32
      }
    }
    for index in 0..<16 { block.subScales[index] = source.signedByte(192 + index) }
    return BlockScales(scale: source.half(208))
  }

  /// IQ4_XS: float16 scale, the upper 2 bits of eight 6-bit sub-scales in 2 bytes, their low 4 bits in 4, and of each
  /// sub-block 16 bytes of nibbles, which are numbers of codes: low ones for its elements 0...15, high ones for the
  /// rest; sub-scales minus 32.
  static func iq4_xs(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    for subBlock in 0..<8 {
      let low = source.byte(4 + subBlock / 2) >> (subBlock % 2 == 0 ? 0 : 4)
      let upper = source.byte(2 + subBlock / 4) >> Int32(subBlock % 4 * 2)
      block.subScales[subBlock] = (low & 15 | (upper & 3) << 4) - 32
      for index in 0..<16 {
        let byte = source.byte(8 + 16 * subBlock + index)
        block.codes[32 * subBlock + index] = Codebook.iq4(byte & 15)
        block.codes[32 * subBlock + 16 + index] = Codebook.iq4(byte >> 4)
      }
    }
    return BlockScales(scale: source.half(0))
  }

  /// Two of the bits of 64 bytes, 32 for each half (128 elements): bits 2 k and 2 k + 1 of byte l belong to element
  /// 32 k + l of the half.
  private static func twoBits(_ bytes: UnsafeRawPointer, _ index: Int) -> Int32 {
    bytes.byte(index / 128 * 32 + index % 32) >> Int32(index % 128 / 32 * 2) & 3
  }

  /// Bytes 0...3 hold the low 6 bits of sub-scales 0...3, bytes 4...7 those of the sub-minimums; bytes 8...11 hold the
  /// low 4 bits of sub-scales (low nibble) and sub-minimums (high nibble) 4...7, whose upper 2 bits are the upper 2
  /// bits of bytes 0...7.
  private static func unpackSubScales(_ bytes: UnsafeRawPointer, into block: UnpackedBlock) {
    for index in 0..<4 {
      let (scale, minimum, rest) = (bytes.byte(index), bytes.byte(4 + index), bytes.byte(8 + index))
      block.subScales[index] = scale & 63
      block.subMinimums[index] = minimum & 63
      block.subScales[4 + index] = rest & 15 | (scale >> 6) << 4
      block.subMinimums[4 + index] = rest >> 4 | (minimum >> 6) << 4
    }
  }
}
