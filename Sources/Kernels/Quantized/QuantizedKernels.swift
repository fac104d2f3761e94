import Tensors

/// The quantized kernels of one instruction set: products of quantized weights with int8 activations, and the making
/// of those activations. All instruction sets give the same bits; `scalar` defines them (docs/numerics.md).
///
/// Whoever picks another one has made sure that the CPU has its instructions.
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

  let multiplies: [QuantType: Multiply]
  /// Products with weights in panels, for the types for which they are faster; `weightRows` is a multiple of 16.
  var panelMultiplies: [QuantType: Multiply] = [:]
  let quantizes: [ActivationForm: Quantize]
  let completes: [ActivationForm: Complete]

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
    quantizes: [
      .int8x32: { quantizeScalar(.int8x32, input: $0, elements: $1, row: $2) },
      .int8x256: { quantizeScalar(.int8x256, input: $0, elements: $1, row: $2) },
    ],
    completes: [
      .int8x32: { completeScalar(.int8x32, elements: $0, row: $1) },
      .int8x256: { completeScalar(.int8x256, elements: $0, row: $1) },
    ])
}
