import Testing

@testable import Sampling

@Suite("Draw")
struct DrawTests {
  /// Computed with an independent implementation of SplitMix64.
  static let vectors: [(seed: UInt64, position: Int, draw: Double)] = [
    (0x0, 0, 0x1.4e0dba5e9a32fp-1), (0x0, 1, 0x1.6705460be8829p-1), (0x0, 2, 0x1.8c6a4553eeafcp-2),
    (0x1, 0, 0x1.7906ac21d0e58p-2), (0x1, 1, 0x1.e31ad9d27ad9ep-1), (0x2A, 7, 0x1.782d47a99890cp-1),
    (0x2A, 1000, 0x1.63f919049aa49p-1), (0xFFFF_FFFF_FFFF_FFFF, 0, 0x1.77082a9eca89cp-2),
    (0xFFFF_FFFF_FFFF_FFFF, 4095, 0x1.091ee89be54f8p-2), (0x75B_CD15, 31, 0x1.2aa1c3edf5ce8p-4),
  ]

  @Test("draws are those of the documented generator", arguments: vectors)
  func fixedVectors(seed: UInt64, position: Int, draw: Double) {
    #expect(Draw.uniform(seed: seed, position: position) == draw)
  }

  @Test("draws spread evenly over positions, over seeds and over pairs of neighbours")
  func evenness() {
    func chiSquare(_ draws: (Int) -> Double) -> Double {
      var counts = [Int](repeating: 0, count: 64)
      for index in 0..<64_000 { counts[Int(draws(index) * 64)] += 1 }
      return counts.reduce(0) { $0 + Double(($1 - 1000) * ($1 - 1000)) / 1000 }
    }
    // 63 degrees of freedom: 14 to 150 leaves out less than one in a million on either side.
    for seed in [UInt64(0), 1, 77] {
      #expect((14...150).contains(chiSquare { Draw.uniform(seed: seed, position: $0) }))
    }
    for position in [0, 1, 500] {
      #expect((14...150).contains(chiSquare { Draw.uniform(seed: UInt64($0), position: position) }))
    }
    let neighbours = chiSquare {
      let first = Int(Draw.uniform(seed: 3, position: $0) * 8)
      let second = Int(Draw.uniform(seed: 3, position: $0 + 1) * 8)
      return Double(8 * first + second) / 64
    }
    #expect((14...150).contains(neighbours))
  }
}
