import Tensors
import Testing

@testable import Kernels

/// The scalar products against arithmetic in float64 on golden values.
@Suite struct ScalarMultiplyTests {
  private let scalar = PresentKernels(name: "scalar", kernels: .scalar)

  @Test("products are those of the dequantized numbers, but for float32 rounding", arguments: PresentKernels.types)
  func exact(_ type: QuantType) throws {
    let fixtures = QuantFixtures()
    let form = try #require(type.activationForm)
    let weights = try fixtures.dequantized(type)
    let rows = ActivationRows(
      form, rows: [try fixtures.activation(), ActivationSample.outliers.floats(QuantFixtures.columns, seed: 11)])
    let products = scalar.multiply(
      type, weights: try fixtures.quantized(type), rows: QuantFixtures.rows, rows, count: 2)
    for row in 0..<QuantFixtures.rows {
      let weightRow = weights[row * QuantFixtures.columns..<(row + 1) * QuantFixtures.columns].map { Double($0) }
      for activation in 0..<2 {
        let values = rows.values(row: activation)
        let expected = zip(weightRow, values).reduce(0) { $0 + $1.0 * $1.1 }
        // Each of up to 32 steps rounds once; sub-scales and minimums are of the size of the largest weight.
        let bound = 0x1p-20 * (weightRow.map { abs($0) }.max() ?? 0) * values.reduce(0) { $0 + abs($1) }
        let product = Double(products[activation * QuantFixtures.rows + row])
        #expect(abs(product - expected) <= bound, "row \(row)")
      }
    }
  }

  @Test(
    "products are near the golden ones, within the rounding of activations to 8 bits", arguments: PresentKernels.types)
  func goldens(_ type: QuantType) throws {
    let fixtures = QuantFixtures()
    let form = try #require(type.activationForm)
    let activation = try fixtures.activation()
    let rows = ActivationRows(form, rows: [activation])
    let parts = ActivationRow(form, base: rows.buffer.base, count: QuantFixtures.columns)
    let weights = try fixtures.dequantized(type)
    let dots = try fixtures.dots(type)
    let products = scalar.multiply(
      type, weights: try fixtures.quantized(type), rows: QuantFixtures.rows, rows, count: 1)
    for row in 0..<QuantFixtures.rows {
      var bound = 0.0
      for column in 0..<QuantFixtures.columns {
        let weight = abs(Double(weights[row * QuantFixtures.columns + column]))
        bound += weight * 0.5001 * Double(parts.scales[column / form.blockElements])
        bound += weight * 0x1p-18 * abs(Double(activation[column]))
      }
      #expect(abs(Double(products[row]) - Double(dots[row])) <= bound, "row \(row)")
    }
    #expect(Set(products).count > QuantFixtures.rows / 2)
  }

  @Test("an all-zero weight row gives exactly zero", arguments: PresentKernels.types)
  func zeros(_ type: QuantType) throws {
    let form = try #require(type.activationForm)
    let rows = ActivationRows(form, rows: [ActivationSample.normal.floats(512, seed: 12)])
    let weights = WeightSample.zeros.bytes(type, rows: 3, elements: 512, seed: 1)
    #expect(scalar.multiply(type, weights: weights, rows: 3, rows, count: 1) == [0, 0, 0])
  }

  @Test("the exponent of MXFP4 that stands for NaN shows in every product, whatever the codes and activations")
  func notANumber() {
    for (sample, nibbles) in [(ActivationSample.normal, 0x00), (.normal, 0x95), (.zeros, 0x11)]
      as [(ActivationSample, UInt8)]
    {
      let rows = ActivationRows(.int8x32, rows: [sample.floats(64, seed: 13)])
      let good: [UInt8] = [127] + [UInt8](repeating: 0x21, count: 16)
      let bad: [UInt8] = [255] + [UInt8](repeating: nibbles, count: 16)
      for weights in [good + bad, bad + good] {
        let product = scalar.multiply(.mxfp4, weights: weights, rows: 1, rows, count: 1)
        #expect(product.allSatisfy { !$0.isFinite })
      }
    }
  }
}
