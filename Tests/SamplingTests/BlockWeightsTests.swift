import Kernels
import Testing

@testable import Sampling

@Suite("BlockWeights")
struct BlockWeightsTests {
  /// Scores of several blocks, the middle one all excluded, and some of the others.
  private func scores(_ count: Int) -> [Float] {
    var random = SystemIndependentRandom(state: 41)
    return (0..<count).map {
      let score = Float.random(in: -6...6, using: &random)
      return (4096..<8192).contains($0) || $0 % 11 == 3 ? -.infinity : score
    }
  }

  @Test("sums and draws agree with float64 over single tokens", arguments: [Float(0.3), 1, 3])
  func againstFloat64(temperature: Float) throws {
    var blocks = BlockWeights(kernels: try Kernels.select())
    let scores = scores(10_000)
    let highest = try #require(scores.max())
    let weights = scores.map { Maths.exp((Double($0) - Double(highest)) / Double(temperature)) }
    let total = weights.reduce(0, +)
    try scores.withUnsafeBufferPointer { scores in
      let sum = blocks.sum(scores, highest: highest, temperature: temperature)
      #expect(abs(sum / total - 1) < 1e-6)
      var chosen: Set<Int> = []
      for step in 0..<500 {
        let draw = Double(step) / 500 + 0.000_37
        let token = blocks.token(at: draw, scores, highest: highest, temperature: temperature)
        try #require(weights[token] > 0)
        let before = weights[..<token].reduce(0, +)
        #expect(before <= (draw + 1e-6) * total && before + weights[token] >= (draw - 1e-6) * total)
        chosen.insert(token)
      }
      #expect(chosen.count > 60)
    }
  }

  @Test("draws at either end give the first and the last token that has a weight")
  func ends() throws {
    var blocks = BlockWeights(kernels: try Kernels.select())
    var scores = [Float](repeating: -.infinity, count: 20_000)
    for token in [5000, 5001, 9000] { scores[token] = 2 }
    scores.withUnsafeBufferPointer { scores in
      #expect(blocks.sum(scores, highest: 2, temperature: 0.5) == 3)
      #expect(blocks.token(at: 0, scores, highest: 2, temperature: 0.5) == 5000)
      #expect(blocks.token(at: 0.5, scores, highest: 2, temperature: 0.5) == 5001)
      #expect(blocks.token(at: 1 - 0x1p-53, scores, highest: 2, temperature: 0.5) == 9000)
      #expect(blocks.token(at: 1 - 0x1p-53, scores, highest: 2, temperature: .leastNonzeroMagnitude) == 9000)
    }
  }
}
