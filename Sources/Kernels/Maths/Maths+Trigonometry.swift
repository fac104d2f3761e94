extension Maths {
  /// Largest magnitude of an angle that `sin` and `cos` take.
  public static let largestAngle = 0x1p30

  /// Sine of an angle in radians, |x| <= 2^30 (NaN beyond); at most 1 ulp off.
  public static func sin(_ x: Double) -> Double { sinCos(x).sine }

  /// Cosine of an angle in radians, |x| <= 2^30 (NaN beyond); at most 1 ulp off.
  public static func cos(_ x: Double) -> Double { sinCos(x).cosine }

  /// Both at once.
  public static func sinCos(_ x: Double) -> (sine: Double, cosine: Double) {
    guard x.magnitude <= largestAngle else { return (.nan, .nan) }
    if x == 0 { return (x, 1) }
    let (n, r, tail) = reduced(x)
    let (sine, cosine) = (kernelSine(r, tail), kernelCosine(r, tail))
    switch n & 3 {
    case 0: return (sine, cosine)
    case 1: return (cosine, -sine)
    case 2: return (-sine, -cosine)
    default: return (-cosine, sine)
    }
  }

  /// x = n pi/2 + r + tail, |r| at most about pi/4. pi/2 is the sum of three numbers; the first difference is exact.
  private static func reduced(_ x: Double) -> (n: Int, r: Double, tail: Double) {
    let n = rounded(x * 0x1.45f306dc9c883p-1)
    let first = x.addingProduct(-n, 0x1.921fb54442d18p0)
    let product = n * 0x1.1a62633145c07p-54
    let productLow = (-product).addingProduct(n, 0x1.1a62633145c07p-54)
    let r = first - product
    // What the subtraction lost, whichever of the two is larger.
    let back = first - r
    let lost = (first - (r + back)) + (back - product)
    return (Int(n), r, (lost - productLow).addingProduct(n, 0x1.f1976b7ed8fbcp-110))
  }

  /// sin(r + tail) = r + r^3 s(r^2) + tail (1 - r^2 / 2).
  private static func kernelSine(_ r: Double, _ tail: Double) -> Double {
    let z = r * r
    let s = polynomial(
      z,
      [
        -0x1.5555555555555p-3, 0x1.111111111110cp-7, -0x1.a01a01a018c5ap-13, 0x1.71de3a53428bep-19,
        -0x1.ae64529056defp-26, 0x1.6120847414f22p-33, -0x1.aa9ad351a452bp-41,
      ])
    return r + (tail.addingProduct(-0.5 * z, tail).addingProduct(z * r, s))
  }

  /// cos(r + tail) = 1 - r^2 / 2 + r^4 c(r^2) - r tail.
  private static func kernelCosine(_ r: Double, _ tail: Double) -> Double {
    let z = r * r
    let c = polynomial(
      z,
      [
        0x1.5555555555555p-5, -0x1.6c16c16c16c15p-10, 0x1.a01a01a019751p-16, -0x1.27e4fb76939cfp-22,
        0x1.1eed8d3fb6e4cp-29, -0x1.9393db21c229bp-37, 0x1.ab092816bbe01p-45,
      ])
    let half = 0.5 * z
    let whole = 1 - half
    return whole + (((1 - whole) - half) + (-(r * tail)).addingProduct(z * z, c))
  }
}
