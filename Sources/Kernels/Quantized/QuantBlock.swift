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
  func half(_ offset: Int) -> Float { HalfFloat.float(f16: loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }
}
