import Foundation
import GGUF
import Testing

@testable import ModelGraph
@testable import ModelSpec

@Suite struct RotaryTableTests {
  private static let yarn: [String: GGUFValue] = [
    "rope.scaling.type": .string("yarn"), "rope.scaling.factor": .float(4),
    "rope.scaling.original_context_length": .uint(64), "rope.scaling.yarn_beta_fast": .float(8),
  ]

  /// Cosines and sines of a position, of the six pairs of the small model.
  private func angles(
    _ keys: [String: GGUFValue], factors: [Float]? = nil, position: Int
  ) throws -> [(cosine: Double, sine: Double)] {
    let model = try TinyModel(keys: keys).spec.hyperparameters
    let table = try factors.map { try RotaryTable(model, factors: $0) } ?? RotaryTable(model, factors: nil)
    var (cosines, sines) = ([Float](repeating: 0, count: 6), [Float](repeating: 0, count: 6))
    table.fill(position: position, cosines: &cosines, sines: &sines)
    return zip(cosines, sines).map { (Double($0), Double($1)) }
  }

  private func expect(
    _ found: [(cosine: Double, sine: Double)], position: Int, magnitude: Double = 1, _ frequency: (Int) -> Double
  ) {
    for (pair, values) in found.enumerated() {
      let angle = Double(position) * frequency(pair)
      #expect(abs(values.cosine - magnitude * cos(angle)) < 1e-6 && abs(values.sine - magnitude * sin(angle)) < 1e-6)
    }
  }

  private func plain(_ pair: Int) -> Double { pow(500, -2 * Double(pair) / 12) }

  @Test("without scaling, pair i turns by base^(-2i / size) a position")
  func none() throws {
    for position in [0, 1, 77, 100_000] { expect(try angles([:], position: position), position: position, plain) }
  }

  @Test("linear scaling divides every frequency; a factor without a type means that")
  func linear() throws {
    let stated: [String: GGUFValue] = ["rope.scaling.type": .string("linear"), "rope.scaling.factor": .float(2.5)]
    for keys in [stated, ["rope.scaling.factor": .float(2.5)], ["rope.scale_linear": .float(2.5)]] {
      expect(try angles(keys, position: 77), position: 77) { plain($0) / 2.5 }
    }
    let none: [String: GGUFValue] = ["rope.scaling.type": .string("none"), "rope.scaling.factor": .float(2.5)]
    expect(try angles(none, position: 77), position: 77, plain)
  }

  @Test("factors of the file divide the frequencies")
  func factors() throws {
    let factors: [Float] = [1, 1, 2, 4, 8, 8]
    expect(try angles([:], factors: factors, position: 77), position: 77) { plain($0) / Double(factors[$0]) }
  }

  @Test("a factor that is none is refused", arguments: [Float(0), -1, .nan, .infinity])
  func badFactor(value: Float) throws {
    let error = #expect(throws: ModelGraphError.self) {
      try angles([:], factors: [1, 1, value, 1, 1, 1], position: 1)
    }
    #expect(error?.code == .notFinite && error?.message.contains("rope_freqs.weight") == true)
  }

  @Test("YaRN keeps fast pairs, slows slow ones down, mixes those between, and enlarges all")
  func yarn() throws {
    // Pairs that turn 8 times and once within 64 positions: 12 ln(64 / (n 2 pi)) / (2 ln 500), -0.23 and 2.24.
    let (low, high) = (0.0, 3.0)
    let enlarged = 1 + 0.1 * log(4.0)
    expect(try angles(Self.yarn, position: 77), position: 77, magnitude: enlarged) { pair in
      let kept = 1 - min(1, max(0, (Double(pair) - low) / (high - low)))
      return plain(pair) / 4 * (1 - kept) + plain(pair) * kept
    }
  }

  @Test("YaRN's magnitude goes by the logarithmic multiplier and the attention factor")
  func magnitudes() throws {
    let cases: [(keys: [String: GGUFValue], magnitude: Double)] = [
      (["rope.scaling.yarn_log_multiplier": .float(1)], 1),
      (["rope.scaling.yarn_log_multiplier": .float(0.5)], (1 + 0.1 * log(4.0)) / (1 + 0.05 * log(4.0))),
      (["rope.scaling.attn_factor": .float(0.5)], 0.5 * (1 + 0.1 * log(4.0))),
    ]
    for (keys, magnitude) in cases {
      let found = try angles(Self.yarn.merging(keys) { $1 }, position: 0)
      #expect(found.allSatisfy { abs($0.cosine - magnitude) < 1e-6 && $0.sine == 0 })
    }
  }
}
