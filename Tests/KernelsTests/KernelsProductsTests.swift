import Kernels
import Tensors
import Testing

@Suite struct KernelsProductsTests {
  static let types: [QuantType] = [.f32, .f16, .bf16]

  private func product(
    _ kernels: Kernels, _ weights: WeightMatrix, _ activations: [Float], count: Int, rows: Range<Int>
  ) -> [Float] {
    output(count * weights.rows) { output in
      activations.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        kernels.multiply(
          weights, rows: rows, activations: base, activationStride: 4 * weights.columns, activationRows: count,
          output: output, outputStride: weights.rows)
      }
    }
  }

  @Test("products have the reference's bits", arguments: types, Distribution.allCases)
  func bits(type: QuantType, distribution: Distribution) {
    for (rows, columns, count) in [(1, 1, 1), (9, 15, 1), (6, 16, 5), (7, 37, 3), (13, 256, 2), (5, 1000, 9)] {
      let weights = FloatMatrix(
        Distribution.normal.values(rows * columns, seed: 3), type: type, rows: rows, columns: columns)
      let activations = distribution.values(count * columns, seed: 4)
      let expected = product(scalarKernels, weights.matrix, activations, count: count, rows: 0..<rows)
      for kernels in vectorKernels {
        let found = product(kernels, weights.matrix, activations, count: count, rows: 0..<rows)
        #expect(found.bits == expected.bits, "\(kernels.instructionSet) \(rows) x \(columns), \(count)")
      }
    }
  }

  @Test("a product does not depend on the range, nor on how many rows are computed together", arguments: types)
  func independence(type: QuantType) {
    let (rows, columns, count) = (11, 100, 7)
    let weights = FloatMatrix(
      Distribution.normal.values(rows * columns, seed: 5), type: type, rows: rows, columns: columns)
    let activations = Distribution.normal.values(count * columns, seed: 6)
    for kernels in allKernels {
      let whole = product(kernels, weights.matrix, activations, count: count, rows: 0..<rows)
      for activation in 0..<count {
        let row = Array(activations[activation * columns..<(activation + 1) * columns])
        for start in 0..<rows {
          let some = product(kernels, weights.matrix, row, count: 1, rows: start..<min(start + 3, rows))
          for index in 0..<rows {
            let inside = index >= start && index < start + 3
            let expected = inside ? whole[activation * rows + index] : 7
            #expect(some[index].bitPattern == expected.bitPattern)
          }
        }
      }
    }
  }

  @Test("products are close to those in float64", arguments: types)
  func accuracy(type: QuantType) {
    let (rows, columns) = (8, 777)
    let values = Distribution.normal.values(rows * columns, seed: 7)
    let weights = FloatMatrix(values, type: type, rows: rows, columns: columns)
    let activations = Distribution.normal.values(columns, seed: 8)
    let found = product(scalarKernels, weights.matrix, activations, count: 1, rows: 0..<rows)
    for row in 0..<rows {
      let exact = output(columns) { scalarKernels.dequantizeRow(weights.matrix, row: row, output: $0) }
      let sum = zip(exact, activations).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      #expect(abs(Double(found[row]) - sum) < 2e-4)
    }
  }

  @Test("a dot product is the product of a float32 row")
  func dot() {
    for count in [0, 1, 16, 17, 63, 300] {
      let (left, right) = (Distribution.wide.values(count, seed: 9), Distribution.wide.values(count, seed: 10))
      let dots = allKernels.map { $0.dot(left, right, count: count).bitPattern }
      #expect(Set(dots).count == 1)
      guard count > 0 else { continue }
      let matrix = FloatMatrix(left, type: .f32, rows: 1, columns: count)
      #expect(product(scalarKernels, matrix.matrix, right, count: 1, rows: 0..<1)[0].bitPattern == dots[0])
    }
  }

  @Test("float32 activations are taken as they are, and refused when not finite")
  func activations() {
    for kernels in allKernels {
      for count in [1, 8, 21] {
        var values = Distribution.denormal.values(count, seed: 11)
        let copy = output(count) {
          #expect(kernels.prepareActivations(.float32, input: values, elements: count, row: $0))
          #expect(kernels.completeActivations(.float32, elements: count, row: $0))
        }
        #expect(copy.bits == values.bits)
        for bad in [Float.nan, .infinity, -.infinity] {
          values[count - 1] = bad
          _ = output(count) {
            #expect(!kernels.prepareActivations(.float32, input: values, elements: count, row: $0))
            #expect(!kernels.completeActivations(.float32, elements: count, row: $0))
          }
        }
      }
    }
  }

  @Test("every half and every bfloat16 is converted exactly")
  func conversions() {
    let bits = (0...UInt16.max).map { $0 }
    bits.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      let half = WeightMatrix(bytes: base, type: .f16, rows: 1, columns: bits.count)
      let brain = WeightMatrix(bytes: base, type: .bf16, rows: 1, columns: bits.count)
      let halves = output(bits.count) { scalarKernels.dequantizeRow(half, row: 0, output: $0) }
      let brains = output(bits.count) { scalarKernels.dequantizeRow(brain, row: 0, output: $0) }
      #expect(halves.bits == bits.map { Float(Float16(bitPattern: $0)) }.bits)
      #expect(brains.bits == bits.map { Float(bitPattern: UInt32($0) << 16) }.bits)
    }
  }
}
