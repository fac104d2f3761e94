import Foundation
import Kernels
import Testing

/// Compares with the C library, whose functions are within 1 ulp (tanh within 2).
@Suite struct MathsTests {
  /// Distance in units of the last place of the expected value.
  private func ulps(_ found: Double, _ expected: Double) -> Double {
    if found == expected || (found.isNaN && expected.isNaN) { return 0 }
    return abs(found - expected) / expected.ulp
  }

  /// The largest distance over many arguments: even steps, and random ones that are dense towards 0.
  private func worst(
    _ range: ClosedRange<Double>, _ found: (Double) -> Double, _ expected: (Double) -> Double
  ) -> Double {
    var random = SeededRandom(70)
    var worst = 0.0
    for index in 0...20000 {
      let even = range.lowerBound + (range.upperBound - range.lowerBound) * Double(index) / 20000
      let small = even * Double(sign: .plus, exponent: -Int.random(in: 0...40, using: &random), significand: 1)
      let any = Double.random(in: range, using: &random)
      for x in [even, small, any] where range.contains(x) { worst = max(worst, ulps(found(x), expected(x))) }
    }
    return worst
  }

  @Test("exp is within 1 ulp, from denormals to overflow")
  func exp() {
    #expect(worst(-708...709.7, Maths.exp, Foundation.exp) <= 1)
    #expect(worst(-1...1, Maths.exp, Foundation.exp) <= 1)
    #expect(worst(-745...(-708), Maths.exp, Foundation.exp) <= 1)
    #expect(Maths.exp(0.0) == 1)
    #expect(Maths.exp(710.0) == .infinity && Maths.exp(Double.infinity) == .infinity)
    #expect(Maths.exp(-746.0) == 0 && Maths.exp(-Double.infinity) == 0)
    #expect(Maths.exp(Double.nan).isNaN)
  }

  @Test("exp in float32 is within 1.04 ulp, 0 below its range and infinite above")
  func floatExp() {
    var worst = 0.0
    var bits: UInt32 = 0
    while bits < 0x42B1_7218 {
      for x in [Float(bitPattern: bits), -Float(bitPattern: bits)] where x > -87.3365 {
        let exact = Foundation.exp(Double(x))
        worst = max(worst, abs(Double(Maths.exp(x)) - exact) / Double(Float(exact).ulp))
      }
      bits += 997
    }
    #expect(worst <= 1.04)
    #expect(Maths.exp(Float(0)) == 1 && Maths.exp(-Float(0)) == 1)
    #expect(Maths.exp(Float(-87.33655)) == 0 && Maths.exp(Float(-87.33654)) >= .leastNormalMagnitude)
    #expect(Maths.exp(Float(88.72284)) == .infinity && Maths.exp(Float(88.7228)).isFinite)
    #expect(Maths.exp(Float.infinity) == .infinity && Maths.exp(-Float.infinity) == 0)
    #expect(Maths.exp(Float.nan).isNaN)
  }

  @Test("log is within 1 ulp, also close to 1 and for denormals")
  func log() {
    #expect(worst(1e-3...1e3, Maths.log, Foundation.log) <= 1)
    #expect(worst(0.6...1.6, Maths.log, Foundation.log) <= 1)
    #expect(worst(0x1p-1070...1e-300, Maths.log, Foundation.log) <= 1)
    #expect(worst(1e290...1e308, Maths.log, Foundation.log) <= 1)
    for exponent in -1074...1023 {
      let x = Double(sign: .plus, exponent: exponent, significand: 1)
      #expect(ulps(Maths.log(x), Foundation.log(x)) <= 1)
      guard exponent > -1000, exponent < 1000 else { continue }
      let close = 1 + Double(sign: .plus, exponent: -(exponent.magnitude > 52 ? 52 : exponent), significand: 1)
      #expect(ulps(Maths.log(close), Foundation.log(close)) <= 1)
    }
    #expect(Maths.log(1) == 0 && Maths.log(0) == -.infinity && Maths.log(.infinity) == .infinity)
    #expect(Maths.log(-1).isNaN && Maths.log(.nan).isNaN && Maths.log(-.infinity).isNaN)
  }

  @Test("pow is within 1 ulp, also for large exponents")
  func pow() {
    for base in [10000.0, 1_000_000, 0.97, 1.000001, 2, 1e-300, Double.leastNonzeroMagnitude, 1e308] {
      let most = min(708 / abs(Foundation.log(base)), 1e9)
      #expect(worst(-most...most, { Maths.pow(base, $0) }, { Foundation.pow(base, $0) }) <= 1)
    }
    for exponent in [-2.0, -0.5, 0.1, 1.0 / 3, 3, 17.7] {
      #expect(worst(1e-10...1e10, { Maths.pow($0, exponent) }, { Foundation.pow($0, exponent) }) <= 1)
    }
  }

  @Test("pow treats special values as the C library does")
  func powOfSpecialValues() {
    let values: [Double] = [
      0, -0.0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 1e300, -1e300, .leastNonzeroMagnitude, .infinity, -.infinity, .nan,
    ]
    for x in values {
      for y in values {
        let (found, expected) = (Maths.pow(x, y), Foundation.pow(x, y))
        #expect(ulps(found, expected) <= 1 && (expected.isNaN || found.sign == expected.sign), "pow(\(x), \(y))")
      }
    }
  }

  @Test("sine and cosine are within 1 ulp up to 1e7, also close to their zeros")
  func trigonometry() {
    for most in [0.8, 10, 1e4, 1e7] {
      #expect(worst(-most...most, Maths.sin, Foundation.sin) <= 1)
      #expect(worst(-most...most, Maths.cos, Foundation.cos) <= 1)
    }
    for quarter in stride(from: 1, to: 6_366_197, by: 977) {
      for x in [Double(quarter) * .pi / 2, (Double(quarter) * .pi / 2).nextUp] {
        #expect(ulps(Maths.sin(x), Foundation.sin(x)) <= 1)
        #expect(ulps(Maths.cos(x), Foundation.cos(x)) <= 1)
      }
    }
    let both = Maths.sinCos(3)
    #expect(both.sine == Maths.sin(3) && both.cosine == Maths.cos(3))
    #expect(Maths.cos(0) == 1 && Maths.sin(0) == 0 && Maths.sin(-0.0).sign == .minus)
    #expect(Maths.sin(.infinity).isNaN && Maths.cos(.nan).isNaN && Maths.sin(2 * Maths.largestAngle).isNaN)
  }

  @Test("tanh is within 3 ulp")
  func tanh() {
    #expect(worst(-25...25, Maths.tanh, Foundation.tanh) <= 3)
    #expect(worst(-0.5...0.5, Maths.tanh, Foundation.tanh) <= 3)
    #expect(Maths.tanh(.infinity) == 1 && Maths.tanh(-.infinity) == -1 && Maths.tanh(.nan).isNaN)
    #expect(Maths.tanh(-0.0).sign == .minus)
  }
}
