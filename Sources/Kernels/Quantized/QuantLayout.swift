import Tensors

/// Layout of the blocks of one type of quantized weights, and how they decode to integers: with
/// j = i / subBlockElements,
///
///     weight[i] = scale * subScales[j] * codes[i] - minimum * subMinimums[j]
///
/// All types Shoal computes with are of this form; a new one is a row of `all` (and its SIMD kernels, each a row in the
/// tables of `QuantizedKernels`). The layouts are ggml's (`ggml-common.h`, `ggml-quants.c`).
struct QuantLayout: Sendable {
  /// Decodes the block at a place of any alignment.
  typealias Unpack = @Sendable (UnsafeRawPointer, UnpackedBlock) -> BlockScales

  let type: QuantType
  /// Elements that share a sub-scale.
  let subBlockElements: Int
  /// Whether there is a `minimum`; without it its products are left out, not computed with zero.
  let hasMinimum: Bool
  let unpack: Unpack
  /// Form of the activations that the weights are multiplied with, in blocks as long as those of the weights.
  let activationForm: ActivationForm

  private init(_ type: QuantType, subBlock: Int, hasMinimum: Bool = false, _ unpack: @escaping Unpack) {
    self.type = type
    subBlockElements = subBlock
    self.hasMinimum = hasMinimum
    self.unpack = unpack
    activationForm = type.blockElements == 32 ? .int8x32 : .int8x256
  }

  /// Every type of quantized weights that can be computed with.
  static let all = [
    QuantLayout(.q4_0, subBlock: 32, QuantBlocks32.q4_0),
    QuantLayout(.q4_1, subBlock: 32, hasMinimum: true, QuantBlocks32.q4_1),
    QuantLayout(.q5_0, subBlock: 32, QuantBlocks32.q5_0),
    QuantLayout(.q5_1, subBlock: 32, hasMinimum: true, QuantBlocks32.q5_1),
    QuantLayout(.q8_0, subBlock: 32, QuantBlocks32.q8_0),
    QuantLayout(.iq4_nl, subBlock: 32, QuantBlocks32.iq4_nl),
    QuantLayout(.mxfp4, subBlock: 32, QuantBlocks32.mxfp4),
    QuantLayout(.q2_K, subBlock: 16, hasMinimum: true, QuantBlocks256.q2_K),
    QuantLayout(.q3_K, subBlock: 16, QuantBlocks256.q3_K),
    QuantLayout(.q4_K, subBlock: 32, hasMinimum: true, QuantBlocks256.q4_K),
    QuantLayout(.q5_K, subBlock: 32, hasMinimum: true, QuantBlocks256.q5_K),
    QuantLayout(.q6_K, subBlock: 16, QuantBlocks256.q6_K),
    QuantLayout(.iq4_xs, subBlock: 32, QuantBlocks256.iq4_xs),
  ]

  static let byType = Dictionary(uniqueKeysWithValues: all.map { ($0.type, $0) })
}

/// The float32 factors of a whole quant block.
struct BlockScales {
  var scale: Float
  var minimum: Float = 0
}

/// Room for the integers of one decoded quant block.
struct UnpackedBlock {
  /// One per element, -128...127.
  let codes: UnsafeMutablePointer<Int32>
  /// One per sub-block; 1 to begin with, for types without.
  let subScales: UnsafeMutablePointer<Int32>
  /// One per sub-block, likewise; only for types with a minimum.
  let subMinimums: UnsafeMutablePointer<Int32>

  /// Lends room for blocks of one type.
  static func withTemporary<Result>(_ body: (UnpackedBlock) -> Result) -> Result {
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: 256 + 16 + 16) { room in
      room.initialize(repeating: 1)
      guard let base = room.baseAddress else { preconditionFailure("a temporary allocation has an address") }
      return body(UnpackedBlock(codes: base, subScales: base + 256, subMinimums: base + 272))
    }
  }
}

extension UnsafeRawPointer {
  /// The byte at an offset, as a number.
  func byte(_ offset: Int) -> Int32 { Int32(load(fromByteOffset: offset, as: UInt8.self)) }
  /// The signed byte at an offset, as a number.
  func signedByte(_ offset: Int) -> Int32 { Int32(load(fromByteOffset: offset, as: Int8.self)) }
  /// The float16 at an offset.
  func half(_ offset: Int) -> Float { HalfFloat.float(f16: loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }
}
