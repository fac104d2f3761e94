/// Conversions of the 16-bit float types, by integer arithmetic alone.
enum HalfFloat {
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
