/// The layouts of blocks of 32. There are no sub-blocks: sub-scales and sub-minimums stay 1.
enum QuantBlocks32 {
  /// Q8_0: a float16 scale and 32 int8.
  static func q8_0(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    for index in 0..<32 { block.codes[index] = source.signedByte(2 + index) }
    return BlockScales(scale: source.half(0))
  }

  /// Q4_0: a float16 scale and 16 bytes of nibbles; codes are nibbles minus 8.
  static func q4_0(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    unpackNibbles(source + 2, into: block) { nibble, _ in nibble - 8 }
    return BlockScales(scale: source.half(0))
  }

  /// Q4_1: a float16 scale, a float16 that is added, and 16 bytes of nibbles.
  static func q4_1(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    unpackNibbles(source + 4, into: block) { nibble, _ in nibble }
    return BlockScales(scale: source.half(0), minimum: -source.half(2))
  }

  /// Q5_0: a float16 scale, a fifth bit for each element in 4 bytes, and 16 bytes of nibbles; codes are minus 16.
  static func q5_0(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    let bits = source.loadUnaligned(fromByteOffset: 2, as: UInt32.self)
    unpackNibbles(source + 6, into: block) { nibble, index in (nibble | fifthBit(bits, index)) - 16 }
    return BlockScales(scale: source.half(0))
  }

  /// Q5_1: as Q4_1, with the fifth bits before the nibbles.
  static func q5_1(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    let bits = source.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
    unpackNibbles(source + 8, into: block) { nibble, index in nibble | fifthBit(bits, index) }
    return BlockScales(scale: source.half(0), minimum: -source.half(2))
  }

  /// IQ4_NL: a float16 scale and 16 bytes of nibbles, which are numbers of codes.
  static func iq4_nl(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    unpackNibbles(source + 2, into: block) { nibble, _ in Codebook.iq4(nibble) }
    return BlockScales(scale: source.half(0))
  }

  /// MXFP4: an exponent and 16 bytes of nibbles, float numbers of 4 bits, whose doubles are the codes.
  static func mxfp4(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    unpackNibbles(source + 1, into: block) { nibble, _ in Codebook.fp4(nibble) }
    return BlockScales(scale: halfOfPower(source.load(as: UInt8.self)))
  }

  /// 2^(exponent - 128), half of what the exponent (E8M0) stands for; of 255, which stands for NaN, infinity.
  static func halfOfPower(_ exponent: UInt8) -> Float {
    // The bits of 2^(exponent - 127): a denormal for 0.
    Float(bitPattern: max(UInt32(exponent) << 23, 0x0040_0000)) * 0.5
  }

  /// The low nibbles of 16 bytes are elements 0...15, the high ones 16...31. `code` turns nibble and element into a code.
  private static func unpackNibbles(
    _ bytes: UnsafeRawPointer, into block: UnpackedBlock, code: (_ nibble: Int32, _ index: Int) -> Int32
  ) {
    for index in 0..<16 {
      block.codes[index] = code(bytes.byte(index) & 15, index)
      block.codes[16 + index] = code(bytes.byte(index) >> 4, 16 + index)
    }
  }

  /// Bit `index` as the fifth bit of a code.
  private static func fifthBit(_ bits: UInt32, _ index: Int) -> Int32 { Int32(bits >> UInt32(index) & 1) << 4 }
}

/// Codes that nibbles are numbers of.
enum Codebook {
  /// The code of a nibble in IQ4_NL and IQ4_XS.
  static func iq4(_ nibble: Int32) -> Int32 { Int32(iq4Codes[Int(nibble)]) }
  /// Twice the number that a nibble is in MXFP4 (E2M1): 0, 0.5, 1, 1.5, 2, 3, 4, 6, and from 8 on the same, negative.
  static func fp4(_ nibble: Int32) -> Int32 { Int32(fp4Codes[Int(nibble)]) }

  private static let iq4Codes: [Int8] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
  private static let fp4Codes: [Int8] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]
}
