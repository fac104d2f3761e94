import Tensors
import Testing

@testable import Kernels

/// Every instruction set against the scalar reference, for products: bit for bit.
@Suite struct QuantizedKernelsTests {
  /// Bits, with all NaN alike: their payload is the CPU's choice.
  private func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }

  private func check(
    _ type: QuantType, weights: [UInt8], rows: Int, _ activations: ActivationRows, count: Int, _ comment: String
  ) {
    let expected = PresentKernels.all[0].multiply(type, weights: weights, rows: rows, activations, count: count)
    #expect(expected.count == rows * count)
    for present in PresentKernels.all.dropFirst() {
      let actual = present.multiply(type, weights: weights, rows: rows, activations, count: count)
      #expect(bits(actual) == bits(expected), "\(present.name): \(comment)")
    }
  }

  @Test("all instruction sets support the same types and forms")
  func tables() {
    #expect(
      QuantizedKernels.supportedTypes == [
        .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4_nl, .mxfp4, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_xs,
      ])
    for present in PresentKernels.all {
      for type in QuantType.allCases {
        #expect((present.kernels.multiply(type) != nil) == QuantizedKernels.supportedTypes.contains(type))
      }
      for form in ActivationForm.allCases {
        #expect((present.kernels.quantize(form) != nil) == (form != .float32))
        #expect((present.kernels.complete(form) != nil) == (form != .float32))
      }
    }
  }

  @Test("layouts are those of the types, and fit their activations")
  func layouts() {
    #expect(QuantLayout.byType.count == QuantLayout.all.count)
    for layout in QuantLayout.all {
      #expect(layout.activationForm == layout.type.activationForm)
      #expect(layout.activationForm.blockElements == layout.type.blockElements)
      #expect(layout.type.blockElements % layout.subBlockElements == 0)
    }
  }

  @Test("golden weights", arguments: PresentKernels.types)
  func goldens(_ type: QuantType) throws {
    let fixtures = QuantFixtures()
    let form = try #require(type.activationForm)
    let samples = ActivationSample.allCases.map { $0.floats(QuantFixtures.columns, seed: 20) }
    let activations = ActivationRows(form, rows: [try fixtures.activation()] + samples)
    let weights = try fixtures.quantized(type)
    for count in [1, 1 + samples.count] {
      check(type, weights: weights, rows: QuantFixtures.rows, activations, count: count, "\(count) activation rows")
    }
  }

  @Test("extreme bits of weights against extreme activations", arguments: PresentKernels.types, WeightSample.allCases)
  func extremes(_ type: QuantType, _ sample: WeightSample) throws {
    let form = try #require(type.activationForm)
    let elements = 768
    let activations = ActivationRows(
      form, rows: ActivationSample.allCases.map { $0.floats(elements, seed: 21) })
    let weights = sample.bytes(type, rows: 19, elements: elements, seed: 22)
    for count in [1, ActivationSample.allCases.count] {
      check(type, weights: weights, rows: 19, activations, count: count, "\(count) activation rows")
    }
  }

  @Test(
    "every byte of codes against the largest activations of either sign: nothing saturates",
    arguments: PresentKernels.types)
  func saturation(_ type: QuantType) throws {
    let form = try #require(type.activationForm)
    let (rowCount, elements) = (8, 512)
    let rows = [ActivationSample.largest, .alternating].map { $0.floats(elements, seed: 0) }
    let activations = ActivationRows(form, rows: rows + rows.map { $0.map { -$0 } } + rows)
    var numbers = SeededNumbers(seed: 23)
    for byte in UInt8.min...UInt8.max {
      var weights: [UInt8] = []
      for _ in 0..<rowCount * elements / type.blockElements {
        var block = [UInt8](repeating: byte, count: type.blockBytes)
        WeightSample.sane.setScales(of: &block, type, &numbers)
        weights += block
      }
      for count in [1, 6] {
        check(
          type, weights: weights, rows: rowCount, activations, count: count,
          "codes of \(byte), \(count) activation rows")
      }
    }
  }

  @Test("any number of weight rows and activation rows", arguments: PresentKernels.types)
  func shapes(_ type: QuantType) throws {
    let form = try #require(type.activationForm)
    let elements = 2 * form.blockElements
    let activations = ActivationRows(
      form, rows: (0..<35).map { ActivationSample.normal.floats(elements, seed: UInt64($0)) })
    for rows in [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33] {
      let weights = WeightSample.sane.bytes(type, rows: rows, elements: elements, seed: UInt64(rows))
      for count in Array(1...9) + [12, 16, 35] {
        check(type, weights: weights, rows: rows, activations, count: count, "\(rows) x \(count)")
      }
    }
  }

  @Test("any length", arguments: PresentKernels.types)
  func lengths(_ type: QuantType) throws {
    let form = try #require(type.activationForm)
    // Kernels take at most 64 blocks of 256, or 256 blocks of 32, at a time.
    for blocks in [1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 65, 130, 257] {
      let elements = blocks * form.blockElements
      let rows = (0..<6).map { ActivationSample.outliers.floats(elements, seed: UInt64($0)) }
      let activations = ActivationRows(form, rows: rows)
      let weights = WeightSample.sane.bytes(type, rows: 18, elements: elements, seed: UInt64(blocks))
      for count in [1, 6] {
        check(type, weights: weights, rows: 18, activations, count: count, "\(elements) elements")
      }
    }
  }

  @Test(
    "a product does not depend on what else is computed with it", arguments: PresentKernels.all, PresentKernels.types)
  func independence(_ present: PresentKernels, _ type: QuantType) throws {
    let form = try #require(type.activationForm)
    let elements = 768
    let samples = (0..<11).map { ActivationSample.normal.floats(elements, seed: UInt64($0)) }
    let weights = WeightSample.sane.bytes(type, rows: 21, elements: elements, seed: 24)
    let all = present.multiply(type, weights: weights, rows: 21, ActivationRows(form, rows: samples), count: 11)
    let rowBytes = weights.count / 21
    for (activation, row) in [(0, 0), (3, 20), (10, 13)] {
      let one = present.multiply(
        type, weights: Array(weights[row * rowBytes..<(row + 1) * rowBytes]), rows: 1,
        ActivationRows(form, rows: [samples[activation]]), count: 1)
      #expect(one[0].bitPattern == all[activation * 21 + row].bitPattern)
    }
  }
}
