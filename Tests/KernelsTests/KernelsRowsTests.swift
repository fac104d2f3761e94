import Foundation
import Kernels
import Tensors
import Testing

@Suite struct KernelsRowsTests {
  static let counts = [1, 7, 8, 16, 19, 64, 333]

  /// Compares all instruction sets, on all kinds of numbers and counts.
  private func expectSameBits(_ name: String, _ compute: (Kernels, [Float], [Float]) -> [Float]) {
    for distribution in Distribution.allCases {
      for count in Self.counts {
        let values = distribution.values(count, seed: 20)
        let others = Distribution.normal.values(count, seed: 21)
        let expected = compute(scalarKernels, values, others)
        for kernels in vectorKernels {
          #expect(
            compute(kernels, values, others).bits == expected.bits,
            "\(name) \(kernels.instructionSet) \(distribution) \(count)")
        }
      }
    }
  }

  @Test("the norm has the reference's bits")
  func normBits() {
    expectSameBits("norm") { kernels, values, weight in
      output(values.count) {
        kernels.rmsNorm(input: values, weight: weight, epsilon: 1e-6, count: values.count, output: $0)
      }
    }
  }

  @Test("the norm is close to that in float64")
  func normAccuracy() {
    let (values, weight) = (Distribution.wide.values(1000, seed: 1), Distribution.normal.values(1000, seed: 2))
    let found = output(1000) {
      scalarKernels.rmsNorm(input: values, weight: weight, epsilon: 1e-5, count: 1000, output: $0)
    }
    let mean = values.reduce(0.0) { $0 + Double($1) * Double($1) } / 1000
    for index in 0..<1000 {
      let exact = Double(values[index]) / (mean + 1e-5).squareRoot() * Double(weight[index])
      #expect(abs(Double(found[index]) - exact) <= 4e-7 * abs(exact))
    }
  }

  @Test("softmax has the reference's bits")
  func softmaxBits() {
    expectSameBits("softmax") { kernels, values, _ in
      var values = values
      kernels.softmax(&values, count: values.count)
      return values
    }
  }

  @Test("softmax is close to that in float64, and far values vanish")
  func softmaxAccuracy() {
    var values = Distribution.normal.values(200, seed: 3).map { $0 * 5 } + [-200]
    let powers = values.map { exp(Double($0)) }
    let sum = powers.reduce(0, +)
    scalarKernels.softmax(&values, count: values.count)
    for (found, power) in zip(values, powers) {
      #expect(abs(Double(found) - power / sum) <= 3e-6 * power / sum + 1e-38)
    }
    #expect(values[200] == 0)
  }

  @Test("a value that is not finite makes the whole softmax NaN", arguments: [Float.nan, .infinity])
  func softmaxOfBadValues(bad: Float) {
    for kernels in allKernels {
      for place in [0, 5, 39] {
        var values = Distribution.normal.values(40, seed: 4)
        values[place] = bad
        kernels.softmax(&values, count: 40)
        #expect(values.contains { $0.isNaN })
      }
    }
  }

  @Test("SwiGLU has the reference's bits, and is close to that in float64")
  func swiGLU() {
    expectSameBits("swiGLU") { kernels, gate, up in
      output(gate.count) { kernels.swiGLU(gate: gate, up: up, count: gate.count, output: $0) }
    }
    let gate = Distribution.normal.values(500, seed: 5).map { $0 * 10 }
    let up = Distribution.normal.values(500, seed: 6)
    let found = output(500) { scalarKernels.swiGLU(gate: gate, up: up, count: 500, output: $0) }
    for index in 0..<500 {
      let x = Double(gate[index])
      let exact = x / (1 + exp(-x)) * Double(up[index])
      #expect(abs(Double(found[index]) - exact) <= 4e-7 * abs(exact))
    }
  }

  @Test("the exponential has the reference's bits over its whole range")
  func exponential() {
    let edges: [Float] = [-87.33655, -87.33654, -87.336, 88.7228, 88.72283, 88.72284, 0, -0.0, .infinity, -.infinity]
    let gate = (-500_000...500_000).map { Float($0) * 0.000185 } + edges + edges.map { -$0 }
    let up = [Float](repeating: 1, count: gate.count)
    let results = allKernels.map { kernels in
      output(gate.count) { kernels.swiGLU(gate: gate, up: up, count: gate.count, output: $0) }.bits
    }
    for result in results { #expect(zip(result, results[0]).allSatisfy { $0 == $1 }) }
  }

  @Test("addition has the reference's bits")
  func add() {
    expectSameBits("add") { kernels, values, others in
      var sum = others
      kernels.add(values, to: &sum, count: values.count)
      return sum
    }
  }

  @Test("rotation has the reference's bits in both styles", arguments: [RotationStyle.halfSplit, .interleaved])
  func rotateBits(style: RotationStyle) {
    for pairs in [1, 3, 4, 8, 13, 32, 64] {
      for distribution in Distribution.allCases {
        let head = distribution.values(2 * pairs + 5, seed: 22)
        let (cosines, sines) = (
          Distribution.normal.values(pairs, seed: 23), Distribution.normal.values(pairs, seed: 24)
        )
        let results = allKernels.map { kernels in
          var turned = head
          kernels.rotate(&turned, cosines: cosines, sines: sines, pairs: pairs, style: style)
          return turned
        }
        for result in results {
          #expect(result.bits == results[0].bits)
          #expect(result.suffix(5) == head.suffix(5))
        }
      }
    }
  }

  @Test("rotation turns by the angle")
  func rotate() {
    let angles = (0..<3).map { 0.4 + Double($0) }
    let (cosines, sines) = (angles.map { Float(cos($0)) }, angles.map { Float(sin($0)) })
    for (style, firsts, seconds) in [
      (RotationStyle.halfSplit, [0, 1, 2], [3, 4, 5]), (.interleaved, [0, 2, 4], [1, 3, 5]),
    ] {
      var head = [Float](repeating: 0, count: 6)
      for pair in 0..<3 { (head[firsts[pair]], head[seconds[pair]]) = (2, 1) }
      scalarKernels.rotate(&head, cosines: cosines, sines: sines, pairs: 3, style: style)
      for pair in 0..<3 {
        #expect(abs(Double(head[firsts[pair]]) - (2 * cos(angles[pair]) - sin(angles[pair]))) < 1e-6)
        #expect(abs(Double(head[seconds[pair]]) - (2 * sin(angles[pair]) + cos(angles[pair]))) < 1e-6)
      }
    }
  }

  @Test("halves are rounded to nearest, ties to even, denormals included")
  func halves() {
    var values: [Float] = [0, -0.0, 65504, 65519.996, -65519.996, 0x1p-24, 0x1p-25, 0x1.000002p-25, 0x1.8p-24]
    for bits in stride(from: UInt16(0), to: 0x7BFF, by: 7) {
      let (low, high) = (Float(Float16(bitPattern: bits)), Float(Float16(bitPattern: bits + 1)))
      let middle = (low + high) / 2
      values += [low, middle, middle.nextUp, -middle.nextDown]
    }
    let expected = values.map { Float16($0).bitPattern }
    for kernels in allKernels {
      for count in [values.count, 11, 3] {
        var stored = [UInt16](repeating: 0, count: count)
        #expect(
          stored.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { kernels.storeKeyValue(.f16, input: values, count: count, output: $0) } ?? false
          })
        #expect(stored == Array(expected.prefix(count)), "\(kernels.instructionSet)")
      }
    }
  }

  @Test("what does not fit the cache's type is reported", arguments: [Float.nan, .infinity, -.infinity, 65520, -1e9])
  func unfit(bad: Float) {
    for kernels in allKernels {
      for place in [0, 9, 20] {
        var values = Distribution.normal.values(21, seed: 7)
        values[place] = bad
        let fits = KVType.allCases.map { type in
          var memory = [Float](repeating: 0, count: 21)
          return kernels.storeKeyValue(type, input: values, count: 21, output: &memory)
        }
        // The largest scale of a q8_0 block is that of 8 million.
        #expect(fits == [false, bad.isFinite, bad == 65520])
      }
    }
  }

  @Test("float32 keys and values are stored as they are")
  func float32() {
    let values = Distribution.denormal.values(21, seed: 8)
    for kernels in allKernels {
      var stored = [Float](repeating: 0, count: 21)
      #expect(kernels.storeKeyValue(.f32, input: values, count: 21, output: &stored))
      #expect(stored.bits == values.bits)
    }
  }

  @Test(
    "blocks of q8_0 have the definition's bits, whatever is in them",
    arguments: [Distribution.normal, .wide, .denormal, .sparse, .constant])
  func blocks(distribution: Distribution) {
    for count in [1, 2, 15, 31, 32, 33, 64, 100, 128] {
      let values = distribution.values(count, seed: 9)
      var expected: [UInt8] = []
      for start in stride(from: 0, to: count, by: 32) {
        let block = values[start..<min(start + 32, count)]
        let scale = Float16((block.map(abs).max() ?? 0) / 127)
        let codes = block.map {
          scale == 0 ? 0 : min(127, max(-127, ($0 * (1 / Float(scale))).rounded(.toNearestOrEven)))
        }
        expected += [UInt8(truncatingIfNeeded: scale.bitPattern), UInt8(scale.bitPattern >> 8)]
        expected += codes.map { UInt8(bitPattern: Int8($0)) } + [UInt8](repeating: 0, count: 32 - codes.count)
      }
      #expect(expected.count == KVType.q8_0.byteCount(elements: count))
      for kernels in allKernels {
        var stored = [UInt8](repeating: 0xEE, count: expected.count + 1)
        #expect(kernels.storeKeyValue(.q8_0, input: values, count: count, output: &stored))
        #expect(stored == expected + [0xEE], "\(kernels.instructionSet) \(count)")
      }
    }
  }

  @Test("scales of q8_0 are rounded to binary16, denormals included, down to zero and up to the limit")
  func scales() {
    // The largest magnitude, the scale's bits, and the code that the largest magnitude gets.
    let limit: Float = 127 * 65519.96
    let cases: [(Float, UInt16, Int8)] = [
      (127, 0x3C00, 127), (0, 0, 0), (127 * 0x1p-25, 0, 0), (127 * 0x1.02p-25, 1, 64), (127 * 0x1.8p-24, 2, 95),
      (127 * 0x1.4p-23, 2, 127), (limit, 0x7BFF, 127), (1, 0x2008, 127),
    ]
    for kernels in allKernels {
      for (largest, bits, code) in cases {
        var block = [UInt8](repeating: 1, count: 34)
        #expect(kernels.storeKeyValue(.q8_0, input: [0, -largest, 0], count: 3, output: &block))
        #expect(UInt16(block[0]) | UInt16(block[1]) << 8 == bits, "\(kernels.instructionSet) \(largest)")
        #expect(Int8(bitPattern: block[3]) == -code && block[2] == 0 && block[4...].allSatisfy { $0 == 0 })
      }
      var block = [UInt8](repeating: 1, count: 34)
      #expect(!kernels.storeKeyValue(.q8_0, input: [127 * 65520], count: 1, output: &block))
    }
  }

  @Test("the highest scores come first, ties by index, NaN last")
  func topK() {
    func top(_ scores: [Float], _ k: Int) -> [Int32] {
      var indices = [Int32](repeating: -1, count: k)
      scalarKernels.topK(scores, count: scores.count, k: k, indices: &indices)
      return indices
    }
    #expect(top([1, 3, 2, 3, 0], 3) == [1, 3, 2])
    #expect(top([0, -0.0, 0, -0.0], 3) == [0, 1, 2])
    #expect(top([.nan, -1, .nan, 5, -.infinity], 5) == [3, 1, 4, 0, 2])
    #expect(top([1], 0) == [])
    var random = SeededRandom(9)
    for count in [1, 8, 128, 500] {
      let scores = (0..<count).map { _ in Float(Int.random(in: 0..<40, using: &random)) }
      let sorted = (0..<count).sorted { (scores[$1], $0) < (scores[$0], $1) }.map(Int32.init)
      for k in [1, min(8, count), count] { #expect(top(scores, k) == Array(sorted.prefix(k))) }
    }
  }
}
