import Foundation
import Kernels
import Testing

@Suite struct KernelsGatingTests {
  @Test("the sigmoid is close to that in float64, and 0 or 1 far out")
  func sigmoid() {
    for x in Distribution.wide.values(500, seed: 4) + [0, 1e30, -1e30, 20, -20] {
      let exact = 1 / (1 + exp(-Double(x)))
      #expect(abs(Double(Kernels.sigmoid(x)) - exact) < 2e-7, "\(x)")
    }
    #expect(Kernels.sigmoid(-.infinity) == 0 && Kernels.sigmoid(.infinity) == 1 && Kernels.sigmoid(.nan).isNaN)
  }

  @Test("clamped SwiGLU has the reference's bits and is close to its formula")
  func clamped() {
    for count in KernelsRowsTests.counts {
      let gates = Distribution.normal.values(count, seed: 5).map { $0 * 6 }
      let ups = Distribution.normal.values(count, seed: 6).map { $0 * 6 }
      func compute(_ kernels: Kernels) -> [Float] {
        var (gate, up) = (gates, ups)
        return output(count) {
          kernels.clampedSwiGLU(gate: &gate, up: &up, alpha: 1.702, limit: 7, count: count, output: $0)
        }
      }
      let found = compute(scalarKernels)
      for kernels in vectorKernels { #expect(compute(kernels).bits == found.bits, "\(kernels.instructionSet)") }
      for index in 0..<count {
        let gate = min(Double(gates[index]), 7)
        let exact = gate / (1 + exp(-1.702 * gate)) * (max(-7, min(7, Double(ups[index]))) + 1)
        #expect(abs(Double(found[index]) - exact) <= 2e-6 * max(1, abs(exact)))
      }
    }
  }

  @Test("clamping hides no NaN", arguments: [(Float.nan, Float(1)), (1, .nan)])
  func notANumber(gate: Float, up: Float) {
    var (gates, ups) = ([gate], [up])
    let found = output(1) {
      scalarKernels.clampedSwiGLU(gate: &gates, up: &ups, alpha: 1.702, limit: 7, count: 1, output: $0)
    }
    #expect(found[0].isNaN)
  }
}
