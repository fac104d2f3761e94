/// Storage type of a tensor's elements as GGUF numbers them (`ggml_type`).
///
/// All types a GGUF file may hold are listed, so that sizes can be checked and an unsupported type refused by
/// name; `Kernels` says which of them can be computed with. Block geometry: ggml's `ggml-common.h`.
public enum QuantType: UInt32, Sendable, Hashable, CaseIterable {
  case f32 = 0, f16 = 1, q4_0 = 2, q4_1 = 3
  case q5_0 = 6, q5_1 = 7, q8_0 = 8, q8_1 = 9
  case q2_K = 10, q3_K = 11, q4_K = 12, q5_K = 13, q6_K = 14, q8_K = 15
  case iq2_xxs = 16, iq2_xs = 17, iq3_xxs = 18, iq1_s = 19, iq4_nl = 20, iq3_s = 21, iq2_s = 22, iq4_xs = 23
  case i8 = 24, i16 = 25, i32 = 26, i64 = 27, f64 = 28
  case iq1_m = 29, bf16 = 30, tq1_0 = 34, tq2_0 = 35, mxfp4 = 39

  /// Name as the ecosystem writes it, such as `Q4_K`.
  public var name: String {
    switch self {
    case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .q8_K: "Q" + String(describing: self).dropFirst()
    default: String(describing: self).uppercased()
    }
  }

  /// Elements in one quant block; 1 for plain numbers.
  public var blockElements: Int {
    switch self {
    case .f32, .f16, .bf16, .f64, .i8, .i16, .i32, .i64: 1
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q8_1, .iq4_nl, .mxfp4: 32
    default: 256
    }
  }

  /// Bytes of one quant block.
  public var blockBytes: Int {
    switch self {
    case .i8: 1
    case .f16, .bf16, .i16: 2
    case .f32, .i32: 4
    case .f64, .i64: 8
    case .q4_0, .iq4_nl: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q8_0: 34
    case .q8_1: 36
    case .mxfp4: 17
    case .q2_K: 84
    case .q3_K: 110
    case .q4_K: 144
    case .q5_K: 176
    case .q6_K: 210
    case .q8_K: 292
    case .iq2_xxs: 66
    case .iq2_xs: 74
    case .iq3_xxs: 98
    case .iq1_s: 50
    case .iq3_s: 110
    case .iq2_s: 82
    case .iq4_xs: 136
    case .iq1_m: 56
    case .tq1_0: 54
    case .tq2_0: 66
    }
  }

  /// Bytes of a row of `elements`; nil when the row is no whole number of blocks or the size overflows.
  public func rowBytes(elements: Int) -> Int? {
    guard elements >= 0, elements % blockElements == 0 else { return nil }
    let (bytes, overflow) = (elements / blockElements).multipliedReportingOverflow(by: blockBytes)
    return overflow ? nil : bytes
  }
}
