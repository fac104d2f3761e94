/// Q8_0: a float16 scale and 32 int8.
enum BlockQ8_0: QuantBlock {
  static let elements = 32
  static let byteCount = 34
  static let subBlockElements = 32
  static let hasMinimum = false

  static func unpack(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    for index in 0..<32 {
      block.codes[index] = Int32(source.load(fromByteOffset: 2 + index, as: Int8.self))
    }
    block.subScales[0] = 1
    return BlockScales(scale: source.half(0))
  }
}

/// Q4_0: a float16 scale and 16 bytes; the low nibbles are elements 0...15, the high ones 16...31, all minus 8.
enum BlockQ4_0: QuantBlock {
  static let elements = 32
  static let byteCount = 18
  static let subBlockElements = 32
  static let hasMinimum = false

  static func unpack(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales {
    for index in 0..<16 {
      let byte = source.byte(2 + index)
      block.codes[index] = (byte & 15) - 8
      block.codes[16 + index] = (byte >> 4) - 8
    }
    block.subScales[0] = 1
    return BlockScales(scale: source.half(0))
  }
}
