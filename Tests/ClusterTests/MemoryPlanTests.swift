import ModelSpec
import Tensors
import Testing

@testable import Cluster

@Suite struct MemoryPlanTests {
  /// A trunk layer takes 1000 bytes, an expert 10, embedding and output 5000; a position 7 bytes a layer.
  private let sizes = ModelSizes(
    pieceBytes: { piece in
      switch piece {
      case .header: 0
      case .embedding, .output: 5000
      case .trunk: 1000
      case .expert: 10
      }
    }, keyValueBytes: { _ in 7 }, hiddenSize: 2, queryWidth: 3, expertWidth: 5, hostWidth: 6, expertsPerToken: 4,
    vocabularySize: 100)

  private func plan(_ text: String, context: Int = 65, sequences: Int = 3) throws -> MemoryPlan {
    MemoryPlan(
      placement: try decode(text).place(sampleFacts), facts: sampleFacts, sizes: sizes, context: context,
      sequences: sequences, rows: 10)
  }

  @Test("weights, whole blocks of KV cache, and the documented scratch")
  func shares() throws {
    let shares = try plan(sampleText).shares
    #expect(shares.map(\.weightBytes) == [5000 + 3000 + 360, 5000 + 3000 + 420 + 5000, 300])
    // 65 positions take two blocks of 64.
    #expect(shares.map(\.keyValueBytes) == [3 * 3 * 128 * 7, 3 * 3 * 128 * 7, 0])
    let row = 32 * 2 + 4 * (2 * 2 + 10 * 5)
    let hosting = 16 * (2 + 3 + 6)
    let process = MemoryPlan.processBytes
    #expect(
      shares.map(\.scratchBytes) == [
        process + 10 * (row + hosting), process + 10 * (row + hosting) + 4 * 100 * 3, process + 10 * row,
      ])
    #expect(shares[0].totalBytes == shares[0].weightBytes + shares[0].keyValueBytes + shares[0].scratchBytes)
  }

  @Test("a spare needs no more than its process")
  func spare() throws {
    let text = try sample("\"reef\":  {", "\"idle\": { \"address\": \"local\" }, \"reef\":  {")
    let share = try #require(try plan(text).shares.first)
    #expect(share == MemoryPlan.Share(weightBytes: 0, keyValueBytes: 0, scratchBytes: MemoryPlan.processBytes))
  }

  @Test("too little memory is an error at the line of \"memory\", with what is needed and allowed")
  func limits() throws {
    let topology = try decode(sampleText)
    try plan(sampleText).check(topology)
    let tight = try decode(sample("\"512MB\"", "\"16.8MB\""))
    let error = try #require(throws: TopologyError.self) { try plan(sampleText).check(tight) }
    #expect(error.code == .memory)
    #expect(
      error.description.hasPrefix(
        "topology.json:7:60: node \"cove\" needs 16.9 MB (weights 13.5 kB, KV cache 8.07 kB for 3 x 65 positions, "
          + "scratch about 16.8 MB), but its \"memory\" allows 16.8 MB; give it fewer experts or layers"), "\(error)")
    let cache = try #require(throws: TopologyError.self) { try plan(sampleText, context: 100_000).check(tight) }
    #expect(cache.message.contains("lower \"context\" or \"sequences\""))
  }

  @Test("exactly the limit is enough")
  func boundary() throws {
    let plan = try plan(sampleText)
    let needed = plan.shares[1].totalBytes
    try plan.check(decode(sample("\"512MB\"", "\"\(needed)B\"")))
    #expect(throws: TopologyError.self) { try plan.check(decode(sample("\"512MB\"", "\"\(needed - 1)B\""))) }
  }

  @Test("sizes beyond 64 bits count as endless")
  func overflow() throws {
    let huge = ModelSizes(
      pieceBytes: { _ in .max / 2 }, keyValueBytes: { _ in .max / 2 }, hiddenSize: .max / 2, queryWidth: .max / 2,
      expertWidth: .max / 2, expertsPerToken: .max / 2, vocabularySize: .max / 2)
    let plan = MemoryPlan(
      placement: try decode(sampleText).place(sampleFacts), facts: sampleFacts, sizes: huge, context: .max,
      sequences: 1024, rows: 512)
    #expect(plan.shares.map(\.totalBytes) == [.max, .max, .max])
  }

  @Test("the embedded model: all its pieces are somewhere, and the default cluster keeps its limits")
  func demo() throws {
    let spec = try Repository.demoSpec()
    let facts = ModelFacts(spec)
    let topology = try Topology(decoding: Repository.bytes("topology.json"))
    let sizes = ModelSizes(spec, keyValueType: topology.keyValueType.value)
    let plan = MemoryPlan(
      placement: Placement(single: "reef", facts: facts), facts: facts, sizes: sizes, context: 1024, sequences: 8,
      rows: 512)
    #expect(plan.shares[0].weightBytes == spec.pieces.reduce(0) { $0 + (spec.layout(of: $1)?.memoryBytes ?? 0) })
    #expect(plan.shares[0].keyValueBytes == 6 * 8 * 1024 * 2 * (64 + 64) * 2)
    let spread = MemoryPlan(
      placement: try topology.place(facts), facts: facts, sizes: sizes,
      context: try topology.contextLength(for: facts), sequences: topology.sequences.value, rows: 512)
    try spread.check(topology)
    #expect(spread.shares.reduce(0) { $0 + $1.keyValueBytes } == plan.shares[0].keyValueBytes)
  }
}
