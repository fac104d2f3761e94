/// Looks for infinities and NaNs among float32 values.
enum FiniteCheck {
  /// Whether `count` little-endian float32 values from `base` on, of any alignment, are all finite.
  static func areFinite(_ base: UnsafeRawPointer, count: Int) -> Bool {
    // A value is not finite when its exponent bits are all set; then the sum below carries into the sign bit.
    var carry: UInt32 = 0
    for index in 0..<count {
      let bits = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 4 &* index, as: UInt32.self))
      carry |= (bits & 0x7FFF_FFFF) &+ 0x0080_0000
    }
    return carry & 0x8000_0000 == 0
  }
}
