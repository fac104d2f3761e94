extension Maths {
  /// Below this, `exp(Float)` is exactly 0: the largest results that are not normal numbers.
  static let expLowest: Float = -0x1.5d589ep6
  /// Above this, `exp(Float)` is infinite.
  static let expHighest: Float = 0x1.62e42ep6

  /// e to the power of `x` in float32; at most 1.04 ulp off. NaN stays NaN.
  ///
  /// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by a polynomial of degree 6 (minimax, relative), n added to the exponent.
  public static func exp(_ x: Float) -> Float {
    if x < expLowest { return 0 }
    if x > expHighest { return .infinity }
    if x.isNaN { return x }
    let magic: Float = 0x1.8p23
    let shifted = magic.addingProduct(x, 0x1.715476p0)
    let n = shifted - magic
    let r = x.addingProduct(-n, 0x1.62e430p-1).addingProduct(-n, -0x1.05c610p-29)
    var q: Float = 0x1.6c351cp-10
    q = (0x1.124778p-7 as Float).addingProduct(q, r)
    q = (0x1.55563ap-5 as Float).addingProduct(q, r)
    q = (0x1.55547cp-3 as Float).addingProduct(q, r)
    q = (0x1.fffffep-2 as Float).addingProduct(q, r)
    let p = 1 + r.addingProduct(r * r, q)
    return Float(bitPattern: p.bitPattern &+ (shifted.bitPattern << 23))
  }
}
