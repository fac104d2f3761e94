import Kernels
import Tensors
import Testing

@Suite struct KernelsCombineTests {
  @Test("the grid follows the lower median of the blocks' largest magnitudes")
  func exponent() {
    func exponent(_ residual: [Float]) -> Int32? {
      scalarKernels.gridExponent(residual: residual, count: residual.count, shift: -24)
    }
    let block = { (largest: Float) in [Float](repeating: 0, count: 255) + [-largest] }
    #expect(exponent(block(1)) == -24)
    #expect(exponent(block(1.99)) == -24)
    #expect(exponent(block(0.99)) == -25)
    #expect(exponent(block(1) + block(4)) == -24)
    #expect(exponent(block(4) + block(1) + block(16)) == -22)
    #expect(exponent(block(1) + block(1) + [1000]) == -24)
    #expect(exponent(block(0) + block(0) + [8]) == -21)
    #expect(exponent(block(0) + [0, 0]) == -24)
    #expect(exponent([]) == -24)
    #expect(exponent([0x1p-140]) == -150)
    #expect(exponent([.greatestFiniteMagnitude]) == 103)
    #expect(scalarKernels.gridExponent(residual: [2], count: 1, shift: CombineMode.compact.gridShift) == -13)
    for bad in [Float.nan, .infinity, -.infinity] { #expect(exponent(block(1) + [bad]) == nil) }
  }

  @Test("contributions have the reference's bits", arguments: Distribution.allCases)
  func bits(distribution: Distribution) {
    for count in [1, 3, 4, 8, 21, 300] {
      let values = distribution.values(count, seed: 41)
      let residual = Distribution.normal.values(count, seed: 42)
      let exponent: Int32 = distribution == .huge ? 30 : -24
      let results = allKernels.map { kernels -> ([Int64], [UInt32]) in
        var sums = [Int64](repeating: 5, count: count)
        #expect(kernels.accumulate(values, weight: 0.37, exponent: exponent, count: count, into: &sums))
        var row = residual
        kernels.addAccumulated(sums, exponent: exponent, count: count, to: &row)
        return (sums, row.bits)
      }
      for result in results { #expect(result == results[0]) }
    }
  }

  @Test("contributions are rounded to nearest, ties to even")
  func ties() {
    let values: [Float] = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.50000006, 2.4999998, 8_388_607.5]
    for kernels in allKernels {
      var sums = [Int64](repeating: 0, count: values.count)
      #expect(kernels.accumulate(values, weight: 1, exponent: 0, count: values.count, into: &sums))
      #expect(sums == [0, 2, 2, 0, -2, -2, 1, 2, 8_388_608])
    }
  }

  @Test("what does not fit the grid is reported", arguments: [Float.nan, .infinity, -.infinity, 0x1p51, -0x1p51])
  func unfit(bad: Float) {
    for kernels in allKernels {
      for (count, place) in [(1, 0), (9, 8), (21, 3)] {
        var values = [Float](repeating: 0x1.fffffep50, count: count)
        var sums = [Int64](repeating: 0, count: count)
        #expect(kernels.accumulate(values, weight: 1, exponent: 0, count: count, into: &sums))
        values[place] = bad
        #expect(!kernels.accumulate(values, weight: 1, exponent: 0, count: count, into: &sums))
      }
    }
  }

  @Test("however experts are divided among nodes, the row gets the same bits")
  func associativity() {
    let (count, experts) = (512, 8)
    let residual = Distribution.normal.values(count, seed: 43)
    let outputs = (0..<experts).map { Distribution.wide.values(count, seed: 50 + UInt64($0)).map { $0 * 0x1p-8 } }
    let weights = Distribution.normal.values(experts, seed: 44)
    guard let exponent = scalarKernels.gridExponent(residual: residual, count: count, shift: -24) else {
      Issue.record("no exponent")
      return
    }
    var random = SeededRandom(45)
    var rows: Set<[UInt32]> = []
    for nodes in 1...6 {
      var partials = [[Int64]](repeating: [Int64](repeating: 0, count: count), count: nodes)
      for expert in (0..<experts).shuffled(using: &random) {
        let node = Int.random(in: 0..<nodes, using: &random)
        let kernels = allKernels[node % allKernels.count]
        #expect(
          kernels.accumulate(
            outputs[expert], weight: weights[expert], exponent: exponent, count: count, into: &partials[node]))
      }
      let sums = partials.shuffled(using: &random).reduce([Int64](repeating: 0, count: count)) { zip($0, $1).map(+) }
      var row = residual
      scalarKernels.addAccumulated(sums, exponent: exponent, count: count, to: &row)
      rows.insert(row.bits)
    }
    #expect(rows.count == 1)
  }

  @Test("the sum is close to that in float64")
  func accuracy() {
    let (count, experts) = (256, 8)
    let residual = Distribution.normal.values(count, seed: 46)
    let outputs = (0..<experts).map { Distribution.normal.values(count, seed: 60 + UInt64($0)) }
    guard let exponent = scalarKernels.gridExponent(residual: residual, count: count, shift: -24) else {
      Issue.record("no exponent")
      return
    }
    var sums = [Int64](repeating: 0, count: count)
    for output in outputs {
      #expect(scalarKernels.accumulate(output, weight: 0.125, exponent: exponent, count: count, into: &sums))
    }
    var row = residual
    scalarKernels.addAccumulated(sums, exponent: exponent, count: count, to: &row)
    for index in 0..<count {
      let exact = outputs.reduce(Double(residual[index])) { $0 + 0.125 * Double($1[index]) }
      #expect(abs(Double(row[index]) - exact) < 1e-6)
    }
  }
}
