extension Maths {
  /// ln 2 = high + low.
  private static let ln2High = 0x1.62e42fefa39efp-1
  private static let ln2Low = 0x1.abc9e3b39803fp-56

  /// e to the power of `x`; at most 1 ulp off.
  public static func exp(_ x: Double) -> Double { exp(x, 0) }

  /// e to the power of `high + low`, where `low` is at most a few ulp of `high`.
  static func exp(_ high: Double, _ low: Double) -> Double {
    if high.isNaN { return high }
    if high > 709.782712893384 { return .infinity }
    if high < -745.1332191019412 { return 0 }
    let (n, r) = reduced(high, low)
    // Two factors, as 2^n alone may leave the range of numbers.
    let exponent = Int(n)
    let half = exponent >> 1
    return ((1 + powerLessOne(r)) * powerOfTwo(half)) * powerOfTwo(exponent - half)
  }

  /// Hyperbolic tangent; at most 3 ulp off.
  public static func tanh(_ x: Double) -> Double {
    let magnitude = x.magnitude
    if x.isNaN || magnitude < 0x1p-28 { return x }
    var result = 1.0
    if magnitude < 22 {
      // t = e^2|x| - 1, exact enough also where e^2|x| is close to 1.
      let (n, r) = reduced(2 * magnitude, 0)
      let scale = powerOfTwo(Int(n))
      let t = (scale - 1).addingProduct(scale, powerLessOne(r))
      result = t / (t + 2)
    }
    return x < 0 ? -result : result
  }

  /// high + low = n ln 2 + r with |r| at most about ln 2 / 2.
  @inline(__always)
  private static func reduced(_ high: Double, _ low: Double) -> (n: Double, r: Double) {
    let n = rounded(high * 0x1.71547652b82fep0)
    let r = high.addingProduct(-n, ln2High).addingProduct(-n, ln2Low)
    return (n, r + low)
  }

  /// e^r - 1 = r + r^2 q(r); relative error of e^r 2^-63.
  @inline(__always)
  private static func powerLessOne(_ r: Double) -> Double {
    let q = polynomial(
      r,
      [
        0x1p-1, 0x1.555555555555bp-3, 0x1.555555555554cp-5, 0x1.111111110eb7ap-7, 0x1.6c16c16c19461p-10,
        0x1.a01a01b44097bp-13, 0x1.a01a0199434b2p-16, 0x1.71dded99e3522p-19, 0x1.27e4f5c89c8f2p-22,
        0x1.af70fcb976c2bp-26, 0x1.1f4d5d5bf007fp-29,
      ])
    return r.addingProduct(r * r, q)
  }
}
