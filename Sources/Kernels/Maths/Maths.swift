/// Elementary functions of our own, so that every machine gets the same bits: only +, -, *, /, square root and fused
/// multiply-add, never the C library.
///
/// The polynomials are minimax fits (Remez) of our own; docs/numerics.md lists methods and error bounds. Domain edges
/// are as in IEEE 754: NaN stays NaN, overflow is infinite.
public enum Maths {
  /// c[0] + c[1] x + c[2] x^2 ..., by fused multiply-adds from the highest power down.
  @inline(__always)
  static func polynomial<let count: Int>(_ x: Double, _ coefficients: InlineArray<count, Double>) -> Double {
    var sum = coefficients[count - 1]
    var index = count - 2
    while index >= 0 {
      sum = coefficients[index].addingProduct(sum, x)
      index -= 1
    }
    return sum
  }

  /// The integer nearest to `x`, ties to even, for |x| below 2^51.
  @inline(__always)
  static func rounded(_ x: Double) -> Double { (x + 0x1.8p52) - 0x1.8p52 }

  /// 2 to the power of `exponent`, -1022 to 1023.
  @inline(__always)
  static func powerOfTwo(_ exponent: Int) -> Double { Double(bitPattern: UInt64(exponent + 1023) << 52) }
}
