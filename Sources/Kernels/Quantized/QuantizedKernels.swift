import CKernels
import Tensors

/// The quantized kernels of one instruction set: products of quantized weights with int8 activations, and the making
/// of those activations. All instruction sets give the same bits; `scalar` defines them (docs/numerics.md).
///
/// Whoever picks `avx2` or `avx512` has made sure that the CPU has those instructions.
struct QuantizedKernels: Sendable {
  /// `(weights, weightRowBytes, weightRows, activations, activationStride, activationRows, elements, output,
  /// outputStride)`: `output[a * outputStride + r]` = weight row r times activation row a. Strides of rows are in
  /// bytes, `outputStride` in floats. Weights may have any alignment; activation rows lie as `ActivationForm` says.
  typealias Multiply =
    @Sendable (UnsafeRawPointer, Int, Int, UnsafeRawPointer, Int, Int, Int, UnsafeMutablePointer<Float>, Int) -> Void
  /// `(input, elements, row)`: writes elements, scales and sums of an activation row; false if a number is not finite.
  typealias Quantize = @convention(c) @Sendable (UnsafePointer<Float>, Int, UnsafeMutableRawPointer) -> Bool
  /// `(elements, row)`: fills in the sums of a row that came from a peer; false if no quantization makes such a row.
  typealias Complete = @convention(c) @Sendable (Int, UnsafeMutableRawPointer) -> Bool

  private let multiplies: [QuantType: Multiply]
  /// Products with weights in panels, for the types for which they are faster; `weightRows` is a multiple of 16.
  let panelMultiplies: [QuantType: Multiply]
  private let quantizes: [ActivationForm: Quantize]
  private let completes: [ActivationForm: Complete]

  /// The types of quantized weights that can be computed with, on every instruction set.
  static let supportedTypes = Set(QuantLayout.byType.keys)

  /// The product for weights of this type; nil for a type that is not supported or not quantized.
  func multiply(_ type: QuantType) -> Multiply? { multiplies[type] }
  /// How to make activations of this form; nil for plain float32.
  func quantize(_ form: ActivationForm) -> Quantize? { quantizes[form] }
  /// How to complete received activations of this form; nil for plain float32.
  func complete(_ form: ActivationForm) -> Complete? { completes[form] }

  /// The reference, in Swift.
  static let scalar = QuantizedKernels(
    multiplies: QuantLayout.byType.mapValues { layout in
      { multiplyScalar(layout, $0, $1, $2, $3, $4, $5, $6, $7, $8) }
    },
    panelMultiplies: [:],
    quantizes: [
      .int8x32: { quantizeScalar(.int8x32, input: $0, elements: $1, row: $2) },
      .int8x256: { quantizeScalar(.int8x256, input: $0, elements: $1, row: $2) },
    ],
    completes: [
      .int8x32: { completeScalar(.int8x32, elements: $0, row: $1) },
      .int8x256: { completeScalar(.int8x256, elements: $0, row: $1) },
    ])

  #if arch(x86_64)
    /// AVX2 with FMA and F16C.
    static let avx2 = QuantizedKernels(
      multiplies: [
        .q4_0: ck_multiply_q4_0_avx2,
        .q4_1: ck_multiply_q4_1_avx2,
        .q5_0: ck_multiply_q5_0_avx2,
        .q5_1: ck_multiply_q5_1_avx2,
        .q8_0: ck_multiply_q8_0_avx2,
        .iq4_nl: ck_multiply_iq4_nl_avx2,
        .mxfp4: ck_multiply_mxfp4_avx2,
        .q2_K: ck_multiply_q2k_avx2,
        .q3_K: ck_multiply_q3k_avx2,
        .q4_K: ck_multiply_q4k_avx2,
        .q5_K: ck_multiply_q5k_avx2,
        .q6_K: ck_multiply_q6k_avx2,
        .iq4_xs: ck_multiply_iq4_xs_avx2,
      ],
      panelMultiplies: [:],
      quantizes: [.int8x32: ck_quantize_int8x32_avx2, .int8x256: ck_quantize_int8x256_avx2],
      completes: [.int8x32: ck_complete_int8x32_avx2, .int8x256: ck_complete_int8x256_avx2])

    /// AVX-512 F, BW, VL, DQ and VNNI, besides all of `avx2`.
    static let avx512 = QuantizedKernels(
      multiplies: [
        .q4_0: ck_multiply_q4_0_avx512,
        .q4_1: ck_multiply_q4_1_avx512,
        .q5_0: ck_multiply_q5_0_avx512,
        .q5_1: ck_multiply_q5_1_avx512,
        .q8_0: ck_multiply_q8_0_avx512,
        .iq4_nl: ck_multiply_iq4_nl_avx512,
        .mxfp4: ck_multiply_mxfp4_avx512,
        .q2_K: ck_multiply_q2k_avx512,
        .q3_K: ck_multiply_q3k_avx512,
        .q4_K: ck_multiply_q4k_avx512,
        .q5_K: ck_multiply_q5k_avx512,
        .q6_K: ck_multiply_q6k_avx512,
        .iq4_xs: ck_multiply_iq4_xs_avx512,
      ],
      panelMultiplies: [
        .q4_K: ck_multiply_q4k_panels_avx512,
        .q5_K: ck_multiply_q5k_panels_avx512,
        .q6_K: ck_multiply_q6k_panels_avx512,
      ],
      quantizes: [.int8x32: ck_quantize_int8x32_avx512, .int8x256: ck_quantize_int8x256_avx512],
      completes: [.int8x32: ck_complete_int8x32_avx2, .int8x256: ck_complete_int8x256_avx2])
  #endif
}
