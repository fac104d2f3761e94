import Kernels
import ModelGraph
import ModelSpec
import Tensors
import Testing

/// Block after block against the same arithmetic in float64.
@Suite struct ForwardTests {
  /// Longer than a tile of attention.
  private static let prompt = (0..<70).map { TokenID(UInt32(($0 * $0 + 3) % 40)) }

  @Test("attention, routing, experts and output agree with float64", arguments: Kernels.available)
  func blocks(set: InstructionSet) throws {
    let model = try TinyModel()
    let reference = Reference(model)
    let bench = GraphBench(model.spec, model.shard, rows: 70, kernels: try Kernels.select(set), threads: 2)
    try bench.begin(Self.prompt)
    #expect(bench.rows == Self.prompt.map { reference.embedding(Int($0.rawValue)) })
    for layer in 0..<2 {
      let before = bench.rows
      let (routed, choices) = try bench.trunk()
      #expect(difference(bench.rows, reference.attended(before, layer: layer)) < 1e-5)
      let residual = bench.rows
      for (row, choice) in choices.enumerated() {
        let expected = reference.routed(residual[row], layer: layer)
        #expect(choice.map(\.expert) == expected.map(\.expert), "layer \(layer), row \(row)")
        #expect(zip(choice, expected).allSatisfy { abs($0.weight - $1.weight) < 1e-5 })
        #expect(abs(choice.reduce(0) { $0 + $1.weight } - 1) < 1e-6)
      }
      try bench.experts(routed)
      #expect(difference(bench.rows, residual.map { reference.fed($0, layer: layer) }) < 1e-5)
    }
    let logits = try bench.logits(rows: [0, 69])
    let rows = bench.rows
    let expected = reference.logits(rows[0]) + reference.logits(rows[69])
    #expect(difference([logits], [expected]) < 1e-4)
  }

  @Test("the float64 reference is one that can fail: blocks matter to it")
  func sensitivity() throws {
    let model = try TinyModel()
    var reference = Reference(model)
    let rows = (0..<4).map { reference.embedding($0) }
    let attended = reference.attended(rows, layer: 0)
    #expect(difference(rows, attended) > 1e-2)
    reference.base = 10_000
    #expect(difference(attended, reference.attended(rows, layer: 0)) > 1e-4)
  }

  @Test("router scores that are equal go to the lower experts")
  func ties() throws {
    let model = try TinyModel { name, values in
      guard name.hasSuffix("ffn_gate_inp") else { return }
      // All experts alike in layer 0; in layer 1 experts 4 and 5 like expert 1.
      let copied = name.hasPrefix("blk.0") ? (1..<6).map { ($0, 0) } : [(4, 1), (5, 1)]
      for (expert, source) in copied {
        values.replaceSubrange(expert * 32..<(expert + 1) * 32, with: values[source * 32..<(source + 1) * 32])
      }
    }
    let bench = GraphBench(model.spec, model.shard, rows: 70, kernels: try Kernels.select())
    try bench.begin(Self.prompt)
    let first = try bench.trunk()
    #expect(first.choices.allSatisfy { $0.map(\.expert) == [0, 1, 2] })
    #expect(first.choices.joined().allSatisfy { abs($0.weight - 1.0 / 3) < 1e-6 })
    try bench.experts(first.routed)
    for choice in try bench.trunk().choices.map({ $0.map(\.expert) }) {
      let group = choice.filter { [1, 4, 5].contains($0) }
      #expect(group == Array([1, 4, 5].prefix(group.count)), "\(choice)")
    }
  }

  @Test("weights that a node does not hold are a typed error that names them")
  func missingWeights() throws {
    let model = try TinyModel()
    let bench = GraphBench(model.spec, model.shard, rows: 8, kernels: try Kernels.select())
    let prompt = Array(Self.prompt.prefix(8))
    try bench.begin(prompt)
    let routed = try bench.trunk().routed
    let expert = Int(routed.experts[0])
    #expect(model.shard.remove(.expert(0, ExpertIndex(expert))) != nil)
    #expect(model.shard.remove(.expert(0, ExpertIndex(expert))) == nil)
    #expect(!model.shard.holds(ExpertIndex(expert), of: 0) && model.shard.holds(ExpertIndex(expert), of: 1))
    #expect(!model.shard.holds(6, of: 0) && !model.shard.holds(0, of: 2) && !model.shard.holds(-1, of: 0))
    let missing = #expect(throws: ModelGraphError.self) { try bench.experts(routed) }
    #expect(missing?.code == .missingWeights && missing?.message.contains("expert \(expert) of layer 0") == true)
    func expectMissing(_ piece: PieceID, _ name: String, _ body: () throws -> Void) {
      #expect(model.shard.remove(piece) != nil)
      let error = #expect(throws: ModelGraphError.self) { try body() }
      #expect(error?.code == .missingWeights && error?.message.contains(name) == true)
    }
    expectMissing(.output, "output") { _ = try bench.logits(rows: [0]) }
    try bench.begin(prompt)
    expectMissing(.trunk(0), "trunk of layer 0") { _ = try bench.trunk() }
    expectMissing(.embedding, "embedding") { try bench.begin(prompt) }
  }

  @Test("a token outside the vocabulary is a typed error")
  func badToken() throws {
    let model = try TinyModel()
    let bench = GraphBench(model.spec, model.shard, rows: 2, kernels: try Kernels.select())
    let error = #expect(throws: ModelGraphError.self) { try bench.begin([0, 40]) }
    #expect(error?.code == .badToken)
  }

  @Test("scratch memory counts what is allocated: more rows and threads take more")
  func scratch() throws {
    let model = try TinyModel().spec.hyperparameters
    let one = Forward.scratchBytes(model, rowCapacity: 1, threads: 1)
    #expect(one > 4 * (32 + 64 + 32 + 16 + 64 + 32 + 6))
    let two = Forward.scratchBytes(model, rowCapacity: 2, threads: 1)
    #expect(two > one && Forward.scratchBytes(model, rowCapacity: 64, threads: 1) > one + 32 * (two - one))
    #expect(Forward.scratchBytes(model, rowCapacity: 1, threads: 2) > one)
    #expect(Pass.byteCount(model, rowCapacity: 2) == 2 * (12 * 32 + 4 + 8 * 6))
  }
}
