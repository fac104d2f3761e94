/// Layout of one type of quant block, decoded to integers: with j = i / subBlockElements,
///
///     weight[i] = scale * subScales[j] * codes[i] - minimum * subMinimums[j]
///
/// All types Shoal computes with are of this form; a new one is a conforming type (and its SIMD kernels). The layouts
/// are ggml's (`ggml-common.h`, `ggml-quants.c`).
protocol QuantBlock {
  /// Elements of a block; also those of a block of the activations it is multiplied with.
  static var elements: Int { get }
  /// Bytes of a block.
  static var byteCount: Int { get }
  /// Elements that share a sub-scale.
  static var subBlockElements: Int { get }
  /// Whether there is a `minimum`; without it its products are left out, not computed with zero.
  static var hasMinimum: Bool { get }
  /// Decodes the block at `source` (any alignment).
  static func unpack(_ source: UnsafeRawPointer, into block: UnpackedBlock) -> BlockScales
}

/// The float32 factors of a whole quant block.
struct BlockScales {
  var scale: Float
  var minimum: Float = 0
}

/// Room for the integers of one decoded quant block.
struct UnpackedBlock {
  /// `elements` of them, -128...127.
  let codes: UnsafeMutablePointer<Int32>
  /// One per sub-block.
  let subScales: UnsafeMutablePointer<Int32>
  /// One per sub-block; only for types with a minimum.
  let subMinimums: UnsafeMutablePointer<Int32>

  /// Lends room for a block of any type.
  static func withTemporary<Result>(_ body: (UnpackedBlock) -> Result) -> Result {
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: 256 + 16 + 16) { room in
      room.initialize(repeating: 0)
      guard let base = room.baseAddress else { preconditionFailure("a temporary allocation has an address") }
      return body(UnpackedBlock(codes: base, subScales: base + 256, subMinimums: base + 272))
    }
  }
}

extension UnsafeRawPointer {
  /// The byte at an offset, as a number.
  func byte(_ offset: Int) -> Int32 { Int32(load(fromByteOffset: offset, as: UInt8.self)) }
  /// The float16 at an offset.
  func half(_ offset: Int) -> Float { Float(halfBits: loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }
}

extension Float {
  /// The exact value of an IEEE 754 binary16; written out, because `Float16` is not there on every platform.
  init(halfBits bits: UInt16) {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7fff)
    switch magnitude {
    case 0x7c00...:  // Infinity and NaN: all exponent bits set; a NaN becomes quiet, as in the CPU's conversion.
      let quiet: UInt32 = magnitude > 0x7c00 ? 0x0040_0000 : 0
      self.init(bitPattern: sign | 0x7f80_0000 | magnitude << 13 | quiet)
    case 0x0400...:  // Exponent bias 127 instead of 15.
      self.init(bitPattern: sign | magnitude << 13 + (112 << 23))
    default:  // Zero and subnormal numbers: multiples of 2^-24.
      self.init(bitPattern: sign | (Float(magnitude) * 0x1p-24).bitPattern)
    }
  }
}
