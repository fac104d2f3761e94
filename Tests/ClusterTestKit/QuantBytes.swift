import Tensors

/// Random weights as a GGUF stores them: arbitrary codes under sane scales, so that values spread about zero with a
/// given amplitude.
enum QuantBytes {
  /// - Parameters:
  ///   - count: elements, whole blocks of the type.
  ///   - amplitude: about the largest absolute value.
  static func random(
    _ type: QuantType, count: Int, amplitude: Float, _ random: inout SeededRandom
  ) -> [UInt8] {
    precondition(count % type.blockElements == 0, "\(count) elements are no whole blocks of \(type.name)")
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count / type.blockElements * type.blockBytes)
    for _ in 0..<count / type.blockElements { appendBlock(type, amplitude, &random, &bytes) }
    return bytes
  }

  private static func appendBlock(
    _ type: QuantType, _ amplitude: Float, _ random: inout SeededRandom, _ bytes: inout [UInt8]
  ) {
    let scale = amplitude * (0.5 + random.unit())
    switch type {
    case .f32: append(value(amplitude, &random).bitPattern, to: &bytes)
    case .bf16: append(UInt16(value(amplitude, &random).bitPattern >> 16), to: &bytes)
    case .f16: append(half(value(amplitude, &random)), to: &bytes)
    case .q8_0, .q4_0, .q5_0, .iq4_nl, .iq4_xs:
      append(half(scale / largest(type)), to: &bytes)
      fill(type.blockBytes - 2, &random, &bytes)
    case .q4_1, .q5_1:
      // What is added takes the mean of the codes off again.
      append(half(scale / largest(type)), to: &bytes)
      append(half(-scale), to: &bytes)
      fill(type.blockBytes - 4, &random, &bytes)
    case .q4_K, .q5_K:
      // Sub-scale times code is 236 (or 488) in the mean; the minimum, 32 in the mean, takes that off again.
      append(half(scale / largest(type)), to: &bytes)
      append(half(scale / largest(type) * (type == .q4_K ? 7.5 : 15.5)), to: &bytes)
      fill(type.blockBytes - 4, &random, &bytes)
    case .q2_K:
      fill(80, &random, &bytes)
      append(half(scale / largest(type)), to: &bytes)
      append(half(scale / largest(type) * 1.5), to: &bytes)
    case .q3_K, .q6_K:
      fill(type.blockBytes - 2, &random, &bytes)
      append(half(scale / largest(type)), to: &bytes)
    case .mxfp4:
      bytes.append(UInt8(127 + Int((scale / largest(type)).exponent)))
      fill(16, &random, &bytes)
    default: preconditionFailure("\(type.name) is not written")
    }
  }

  /// About the largest weight for a scale of 1; for types with a minimum, less that.
  private static func largest(_ type: QuantType) -> Float {
    switch type {
    case .q4_0, .q4_1: 8
    case .q5_0, .q5_1: 16
    case .q8_0, .iq4_nl, .q3_K: 128
    case .mxfp4: 6
    case .q2_K: 30
    case .q4_K: 480
    case .q5_K: 960
    default: 4096
    }
  }

  private static func value(_ amplitude: Float, _ random: inout SeededRandom) -> Float {
    amplitude * (2 * random.unit() - 1)
  }

  private static func fill(_ count: Int, _ random: inout SeededRandom, _ bytes: inout [UInt8]) {
    for _ in 0..<count { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
  }

  private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// Bits of the float16 next to a number towards zero; zero for what is too small.
  static func half(_ number: Float) -> UInt16 {
    let bits = number.bitPattern
    let sign = UInt16(bits >> 16 & 0x8000)
    let exponent = Int(bits >> 23 & 255) - 112
    let fraction = bits & 0x7f_ffff
    guard exponent < 31 else { return sign | 0x7bff }
    if exponent > 0 { return sign | UInt16(exponent << 10) | UInt16(fraction >> 13) }
    return exponent > -10 ? sign | UInt16((fraction | 0x80_0000) >> UInt32(14 - exponent)) : sign
  }
}
