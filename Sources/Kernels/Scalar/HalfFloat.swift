/// Conversions of the 16-bit float types, by integer arithmetic alone.
enum HalfFloat {
  /// IEEE binary16 to float32, exact; a NaN becomes quiet, as in the CPU's conversion.
  @inline(__always)
  static func float(f16 bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7FFF)
    if magnitude > 0x7C00 { return Float(bitPattern: sign | 0x7FC0_0000 | (magnitude << 13)) }
    if magnitude == 0x7C00 { return Float(bitPattern: sign | 0x7F80_0000) }
    // Exponent bias 127 instead of 15; below 2^-14 the number is a multiple of 2^-24.
    if magnitude >= 0x0400 { return Float(bitPattern: sign | ((magnitude << 13) + (112 << 23))) }
    return Float(bitPattern: sign | (Float(magnitude) * 0x1p-24).bitPattern)
  }

  /// bfloat16 to float32, exact.
  @inline(__always)
  static func float(bf16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  /// float32 to IEEE binary16, rounded to nearest, ties to even, with denormals; infinite when it does not fit.
  @inline(__always)
  static func f16(_ value: Float) -> UInt16 {
    let sign = UInt16(value.bitPattern >> 16) & 0x8000
    let magnitude = value.bitPattern & 0x7FFF_FFFF
    if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
    if magnitude >= 0x477F_F000 { return sign | 0x7C00 }
    if magnitude < 0x3880_0000 {
      // A denormal: the float addition rounds at the unit of 2^-24.
      let scaled = Float(bitPattern: magnitude) * 0x1p24 + 0x1.8p23
      return sign | UInt16(truncatingIfNeeded: scaled.bitPattern &- 0x4B40_0000)
    }
    let rounded = magnitude + 0xFFF + ((magnitude >> 13) & 1)
    return sign | UInt16(truncatingIfNeeded: (rounded >> 13) - (112 << 10))
  }
}
