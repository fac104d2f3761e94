import Foundation
import GGUF
import Kernels
import ModelSpec
import Tensors
import Testing

/// Each way of choosing and weighting experts against the same in float64.
@Suite struct ForwardRouterTests {
  private static let prompt = (0..<40).map { TokenID(UInt32(($0 * $0 + 3) % 40)) }

  /// Scores of the rows of layer 0, and what the model chose for them.
  private func run(
    _ keys: [String: GGUFValue]
  ) throws -> [(scores: [Double], choices: [(expert: Int, weight: Double)])] {
    let model = try TinyModel(keys: keys) { name, values in
      // Scores far apart, so that gates differ.
      if name.hasSuffix("ffn_gate_inp") { values = values.map { $0 * 3 } }
    }
    let reference = Reference(model)
    let bench = GraphBench(model.spec, model.shard, rows: 40, kernels: try Kernels.select())
    try bench.begin(Self.prompt)
    let choices = try bench.trunk().choices
    return zip(bench.rows, choices).map { residual, choices in
      let input = reference.norm(residual, reference.weights("blk.0.ffn_norm"))
      return (reference.multiply(reference.weights("blk.0.ffn_gate_inp")[...], input), choices)
    }
  }

  private func best(_ values: [Double], _ count: Int) -> [Int] {
    Array(values.indices.sorted { (values[$1], $0) < (values[$0], $1) }.prefix(count))
  }

  private func expect(_ choices: [(expert: Int, weight: Double)], _ experts: [Int], _ weights: [Double]) {
    #expect(choices.map(\.expert) == experts)
    #expect(zip(choices, weights).allSatisfy { abs($0.weight - $1) < 1e-5 }, "\(choices) \(weights)")
  }

  @Test("softmax without normalising: the weights are shares of all experts")
  func softmax() throws {
    for row in try run(["expert_weights_norm": .bool(false), "expert_weights_scale": .float(2)]) {
      let powers = row.scores.map { exp($0) }
      let experts = best(powers, 3)
      expect(row.choices, experts, experts.map { 2 * powers[$0] / powers.reduce(0, +) })
    }
  }

  @Test("sigmoid, normalised and scaled")
  func sigmoid() throws {
    for row in try run(["expert_gating_func": .uint(2), "expert_weights_scale": .float(2.5)]) {
      let gates = row.scores.map { 1 / (1 + exp(-$0)) }
      let experts = best(gates, 3)
      let sum = experts.reduce(0) { $0 + gates[$1] }
      expect(row.choices, experts, experts.map { 2.5 * gates[$0] / sum })
    }
  }

  @Test("softmax over the chosen alone")
  func softmaxOfChosen() throws {
    for row in try run(["expert_gating_func": .uint(3), "expert_weights_norm": .bool(false)]) {
      let experts = best(row.scores, 3)
      let sum = experts.reduce(0) { $0 + exp(row.scores[$1]) }
      expect(row.choices, experts, experts.map { exp(row.scores[$0]) / sum })
    }
  }

  @Test("only groups that rank first are chosen from: by two experts with the sigmoid, by one with the softmax")
  func groups() throws {
    let keys: [String: GGUFValue] = ["expert_group_count": .uint(2), "expert_group_used_count": .uint(1)]
    var differs = 0
    for gating in [1, 2] as [UInt64] {
      for row in try run(keys.merging(["expert_gating_func": .uint(gating)]) { $1 }) {
        let powers = row.scores.map { exp($0) }
        let gates = row.scores.map { 1 / (1 + exp(-$0)) }
        let values = gating == 1 ? powers.map { $0 / powers.reduce(0, +) } : gates
        let groups = [Array(0..<3), Array(3..<6)]
        let ranks = groups.map { group -> Double in
          let sorted = group.map { values[$0] }.sorted(by: >)
          return gating == 1 ? sorted[0] : sorted[0] + sorted[1]
        }
        let group = groups[ranks[1] > ranks[0] ? 1 : 0]
        let experts = best(values.indices.map { group.contains($0) ? values[$0] : -1 }, 3)
        let sum = experts.reduce(0) { $0 + values[$1] }
        expect(row.choices, experts, experts.map { values[$0] / sum })
        if experts != best(values, 3) { differs += 1 }
      }
    }
    #expect(differs > 10, "the groups changed only \(differs) choices")
  }
}
