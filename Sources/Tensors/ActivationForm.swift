/// Form into which a row of float32 activations is put before it meets a weight matrix.
///
/// The form is part of the numerics: the kernels take it, and the very same bytes travel to expert nodes.
/// Wire bytes of a row: the elements (int8, or float32), then one float32 scale for each block.
public enum ActivationForm: UInt8, Sendable, Hashable, CaseIterable {
  /// Plain float32, for F32, F16 and BF16 weights.
  case float32 = 0
  /// Blocks of 32 int8 with a float32 scale, for weights in blocks of 32.
  case int8x32 = 1
  /// Blocks of 256 int8 with a float32 scale, for weights in blocks of 256.
  case int8x256 = 2

  /// Elements that share one scale; 1 for plain float32.
  public var blockElements: Int {
    switch self {
    case .float32: 1
    case .int8x32: 32
    case .int8x256: 256
    }
  }

  /// Bytes of one row of `elements` as it travels; `elements` must be a multiple of `blockElements`.
  public func wireBytes(elements: Int) -> Int {
    switch self {
    case .float32: 4 * elements
    case .int8x32, .int8x256: elements + 4 * (elements / blockElements)
    }
  }

  /// Bytes of one row in memory: the wire bytes, then for int8 forms an int16 sum for each 16 elements, padded to
  /// 64 bytes so that rows stay aligned.
  public func rowStride(elements: Int) -> Int {
    let sums = self == .float32 ? 0 : 2 * (elements / 16)
    return (wireBytes(elements: elements) + sums + 63) & ~63
  }
}

extension QuantType {
  /// The form of activations this type of weight is multiplied with; nil for types that cannot be computed with.
  public var activationForm: ActivationForm? {
    switch self {
    case .f32, .f16, .bf16: .float32
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4_nl, .mxfp4: .int8x32
    case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_xs: .int8x256
    default: nil
    }
  }
}
