import Kernels
import ModelGraph
import ModelSpec
import Tensors
import Testing

/// The absorbed form of latent attention against the published one in float64, in the shapes its files come in.
@Suite struct LatentAttentionTests {
  /// Longer than a KV block.
  private static let prompt = (0..<70).map { TokenID(UInt32(($0 * $0 + 3) % 40)) }

  private func bench(
    _ variant: LatentVariant, _ model: TinyModel, _ set: InstructionSet, threads: Int = 2
  ) throws -> GraphBench {
    let latent = try #require(model.spec.hyperparameters.latent)
    #expect(latent.queryRank == variant.queryRank && model.spec.hyperparameters.headCount == variant.heads)
    return GraphBench(
      model.spec, model.shard, rows: Self.prompt.count, kernels: try Kernels.select(set), threads: threads)
  }

  /// Largest difference as a part of the largest value.
  private func relative(_ rows: [[Double]], _ expected: [[Double]]) -> Double {
    difference(rows, expected) / (expected.joined().map(abs).max() ?? 0)
  }

  @Test(
    "attention and routing agree with keys and values projected up in float64", arguments: LatentVariant.all,
    Kernels.available)
  func trunk(variant: LatentVariant, set: InstructionSet) throws {
    let model = try variant.model()
    let reference = LatentReference(model, variant)
    let bench = try bench(variant, model, set)
    try bench.begin(Self.prompt)
    #expect(bench.rows == Self.prompt.map { reference.embedding(Int($0.rawValue)) })
    for layer in 0..<2 {
      let before = bench.rows
      let (routed, choices) = try bench.trunk()
      let error = relative(bench.rows, reference.attended(before, layer: layer))
      #expect(error < 1e-5, "layer \(layer): \(error)")
      for (row, (residual, choice)) in zip(bench.rows, choices).enumerated() {
        let expected = reference.routed(residual, layer: layer)
        #expect(choice.map(\.expert) == expected.map(\.expert), "layer \(layer), row \(row)")
        #expect(zip(choice, expected).allSatisfy { abs($0.weight - $1.weight) < 1e-5 }, "\(choice) \(expected)")
      }
      try bench.experts(routed)
    }
  }

  @Test(
    "a prompt in chunks, and row by row, has the bits of the prompt at once", arguments: LatentVariant.all,
    Kernels.available)
  func chunks(variant: LatentVariant, set: InstructionSet) throws {
    let model = try variant.model()
    /// Rows after the attention of both layers.
    func rows(_ counts: [Int], threads: Int) throws -> [[[Double]]] {
      let bench = try bench(variant, model, set, threads: threads)
      var rows: [[[Double]]] = [[], []]
      var position = 0
      for count in counts {
        try bench.begin(Array(Self.prompt[position..<position + count]), position: position)
        for layer in 0..<2 {
          let (routed, _) = try bench.trunk()
          rows[layer] += bench.rows
          try bench.experts(routed)
        }
        position += count
      }
      return rows
    }
    let whole = try rows([Self.prompt.count], threads: 2)
    #expect(whole.allSatisfy { $0.count == Self.prompt.count })
    for counts in [[1, 31, 33, 5], [64, 6], Array(repeating: 1, count: Self.prompt.count)] {
      for threads in [1, 2] {
        let parts = try rows(counts, threads: threads)
        #expect(parts == whole, "\(counts.prefix(4)), \(threads) threads: \(difference(parts[0], whole[0]))")
      }
    }
  }

  @Test("the float64 reference is one that can fail: each of its parts moves rows far more than the tolerance")
  func sensitivity() throws {
    let parts: [WritableKeyPath<LatentReference, Bool>] = [
      \.scalesScores, \.mixesFrequencies, \.growsQueries, \.normsLatents,
    ]
    for variant in LatentVariant.all {
      let reference = LatentReference(try variant.model(), variant)
      let rows = Self.prompt.map { reference.embedding(Int($0.rawValue)) }
      let attended = reference.attended(rows, layer: 0)
      #expect(relative(rows, attended) > 0.1)
      for part in parts where part != \.growsQueries || variant.temperature != nil {
        var other = reference
        other[keyPath: part] = false
        #expect(relative(other.attended(rows, layer: 0), attended) > 1e-2, "\(variant.testDescription): \(part)")
      }
    }
  }
}
