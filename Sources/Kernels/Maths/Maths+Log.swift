extension Maths {
  /// ln 2 = high + low, where high has 32 bits, so that its multiples by exponents are exact.
  private static let ln2High = 0x1.62e42feep-1
  private static let ln2Low = 0x1.a39ef35793c76p-33

  /// Natural logarithm; at most 1 ulp off. Of 0 minus infinity, of negative numbers NaN.
  public static func log(_ x: Double) -> Double {
    if x == 0 { return -.infinity }
    if x < 0 { return .nan }
    if !x.isFinite { return x }
    let (high, low) = logarithm(x)
    return high + low
  }

  /// `x` to the power of `y`; at most 1 ulp off. Special cases as in IEEE 754: x^0 and 1^y are 1, a negative number
  /// has integer powers only.
  public static func pow(_ x: Double, _ y: Double) -> Double {
    if y == 0 || x == 1 { return 1 }
    if x.isNaN || y.isNaN { return .nan }
    let parity = parity(y)
    if x < 0, parity == .none, x.isFinite, y.isFinite { return .nan }
    let isNegative = parity == .odd && x.sign == .minus
    let power = positivePower(x.magnitude, y)
    return isNegative ? -power : power
  }

  /// For x >= 0 and y other than 0.
  private static func positivePower(_ x: Double, _ y: Double) -> Double {
    if x == 1 { return 1 }
    if x == 0 || !x.isFinite || !y.isFinite { return (x > 1) == (y > 0) ? .infinity : 0 }
    let (high, low) = logarithm(x)
    let product = y * high
    guard product.magnitude < 1000 else { return product > 0 ? .infinity : 0 }
    return exp(product, (-product).addingProduct(y, high) + y * low)
  }

  private enum Parity { case none, even, odd }

  /// Whether `y` is an integer, and which kind.
  private static func parity(_ y: Double) -> Parity {
    guard y.magnitude < 0x1p53 else { return .even }
    let integer = Int64(y)
    guard Double(integer) == y else { return .none }
    return integer & 1 == 0 ? .even : .odd
  }

  /// Natural logarithm as the sum of two numbers, about 2^-64 off, for finite x > 0.
  ///
  /// x = m 2^k with m between sqrt(1/2) and sqrt(2); s = (m - 1) / (m + 1); ln m = 2 s + s^3 (2/3 + s^2 q(s^2)).
  private static func logarithm(_ x: Double) -> (high: Double, low: Double) {
    var bits = x.bitPattern
    var k = 0
    if bits < 0x0010_0000_0000_0000 {
      bits = (x * 0x1p54).bitPattern
      k = -54
    }
    // Counted from sqrt(1/2), the exponent field is that of m's interval.
    let shifted = bits &- 0x3FE6_A09E_667F_3BCD
    k += Int(Int64(bitPattern: shifted) >> 52)
    let m = Double(bitPattern: (shifted & 0x000F_FFFF_FFFF_FFFF) &+ 0x3FE6_A09E_667F_3BCD)

    let f = m - 1
    let divisor = m + 1
    let divisorLow = m - (divisor - 1)
    let s = f / divisor
    let sLow = (f.addingProduct(-s, divisor) - s * divisorLow) / divisor
    let z = s * s
    let zLow = (-z).addingProduct(s, s) + 2 * s * sLow
    let t = s * z
    let tLow = (-t).addingProduct(s, z) + (s * zLow + sLow * z)
    let q = polynomial(
      z,
      [
        0x1.99999999999dfp-2, 0x1.249249247f5b4p-2, 0x1.c71c71f7b8d5fp-3, 0x1.745cfb73a39fap-3, 0x1.3b1bedb9cc855p-3,
        0x1.0fc1801593bebp-3, 0x1.0c082fd7ad897p-3,
      ])
    let p = 0x1.5555555555555p-1 + z * q
    let pLow = ((0x1.5555555555555p-1 - p) + z * q) + 0x1.5555555555555p-55
    let u = t * p
    let uLow = (-u).addingProduct(t, p) + (t * pLow + tLow * p)

    let sum = 2 * s + u
    let sumLow = ((2 * s - sum) + u) + (2 * sLow + uLow)
    let base = Double(k) * ln2High
    let high = base + sum
    let highLow = k == 0 ? 0 : (base - high) + sum
    let low = highLow + (sumLow + Double(k) * ln2Low)
    let result = high + low
    return (result, (high - result) + low)
  }
}
