import GGUF
import Kernels
import ModelSpec
import Scheduling
import Tensors
import Testing

@testable import Engine

/// Keys and values outlive their engine: layers stay, are copied to another stage, or move to another node, and the
/// tokens are those of the undisturbed run.
@Suite struct KVBlockExportTests {
  private typealias Plan = EngineCluster.Plan
  private let spec: ModelSpec
  private let file: GGUFFile
  private let path: String
  private let prompts: [[TokenID]]
  private let kernels: Kernels
  private static let sampling = SamplingParameters(temperature: 1, topK: 0, topP: 0.95, repeatPenalty: 1.2, seed: 11)
  private static let rounds = 8

  init() throws {
    let golden = try GoldenModel("qwen3moe-s")
    path = golden.path("Q8_0")
    file = try GGUFFile.open(path)
    spec = try ModelSpec(file: file)
    prompts = Array(golden.prompts.suffix(2))
    kernels = try Kernels.select()
  }

  /// Stages given by the layers they end at and their hosts; every host has all experts.
  private func plan(_ nodeCount: Int, _ stages: [(end: Int, host: Int)]) -> Plan {
    var start = 0
    return Plan(
      nodeCount: nodeCount,
      stages: stages.map { stage in
        defer { start = stage.end }
        let holders = Array(repeating: [stage.host], count: spec.hyperparameters.expertCount)
        return Plan.Stage(layers: start..<stage.end, host: stage.host, holders: holders)
      })
  }

  private func expected(_ kv: KVType = .f16) throws -> [[TokenID]] {
    let local = try LocalModel(path, kernels: kernels, kv: kv)
    return try prompts.map { try local.generate($0, count: Self.rounds, sampling: Self.sampling) }
  }

  private func cluster(
    _ plan: Plan, seed: UInt64 = 1, rowCapacity: Int = 64, kv: KVType = .f16
  ) throws -> EngineCluster {
    try EngineCluster(spec, file, plan, kernels: [kernels], threads: 1, rowCapacity: rowCapacity, seed: seed, kv: kv)
  }

  /// Generates from all prompts side by side and moves to another plan before the rounds that `moves` names.
  private func generate(_ cluster: EngineCluster, _ moves: [Int: Plan]) throws -> (tokens: [[TokenID]], bytes: [Int]) {
    var tokens: [[TokenID]] = prompts.map { _ in [] }
    var bytes: [Int] = []
    for round in 0..<Self.rounds {
      if let plan = moves[round] { bytes.append(try cluster.move(to: plan)) }
      let entries = prompts.enumerated().map { index, prompt in
        let all = prompt + tokens[index]
        let rows = round == 0 ? prompt : [all[all.count - 1]]
        let isOpening = round == 0 || moves[round] != nil
        return StepEntry(
          sequence: SequenceID(rawValue: UInt64(index)), position: all.count - rows.count, rowCount: rows.count,
          tokens: rows, wanted: .token,
          opening: isOpening
            ? SequenceOpening(sampling: Self.sampling, history: Array(all.suffix(Self.sampling.penaltyWindow))) : nil)
      }
      for result in try cluster.run([(round == 0 ? .prefill : .decode, entries)]).joined() {
        guard case .token(let token, _) = result.outcome else { continue }
        tokens[Int(result.sequence.rawValue)].append(token)
      }
    }
    return (tokens, bytes)
  }

  /// Ends all sequences and looks for blocks that are left.
  private func expectNoLeak(_ cluster: EngineCluster) throws {
    #expect(cluster.nodes.contains { $0.engine.keyValueBlocksInUse > 0 })
    _ = try cluster.run([(.decode, [])], released: prompts.indices.map { SequenceID(rawValue: UInt64($0)) })
    #expect(cluster.nodes.allSatisfy { $0.engine.keyValueBlocksInUse == 0 && $0.engine.isIdle })
  }

  @Test("an engine replaced by one with other stages on the same node goes on with the same tokens and moves nothing")
  func sameNode() throws {
    let one = plan(1, [(3, 0)])
    let two = plan(1, [(1, 0), (3, 0)])
    let other = plan(1, [(2, 0), (3, 0)])
    let cluster = try cluster(one)
    let answer = try generate(cluster, [2: two, 4: other, 5: other, 6: one])
    #expect(try answer.tokens == expected())
    #expect(answer.bytes == [0, 0, 0, 0])
    try expectNoLeak(cluster)
  }

  @Test(
    "layers handed over to other nodes and back give the same tokens, and as many bytes as announced",
    arguments: KVType.allCases)
  func twoNodes(kv: KVType) throws {
    let cluster = try cluster(plan(2, [(3, 0)]), kv: kv)
    let answer = try generate(
      cluster, [1: plan(3, [(1, 1), (3, 2)]), 4: plan(3, [(2, 2), (3, 0)]), 6: plan(1, [(3, 0)])])
    #expect(try answer.tokens == expected(kv))
    // A prompt of 41 tokens has one block, one of 150 three.
    let model = spec.hyperparameters
    let head = kv.byteCount(elements: model.keyHeadSize) + kv.byteCount(elements: model.valueHeadSize)
    let slab = model.keyValueHeadCount * head * KVType.blockPositions
    #expect(answer.bytes == [3 * 4 * slab, 2 * 4 * slab, 2 * 4 * slab])
    try expectNoLeak(cluster)
  }

  @Test("plans drawn at random, one after the other in mid-generation, give the same tokens", arguments: 1...10)
  func randomPlans(seed: Int) throws {
    var random = SplitMix(state: UInt64(seed))
    let cluster = try cluster(
      OneAnswerTests.draw(spec, &random), seed: UInt64(seed), rowCapacity: 3 + random.next(below: 60))
    var moves: [Int: Plan] = [:]
    for round in 1..<Self.rounds where random.next(below: 2) == 0 { moves[round] = OneAnswerTests.draw(spec, &random) }
    #expect(try generate(cluster, moves).tokens == expected(), "seed \(seed)")
    try expectNoLeak(cluster)
  }

  @Test("without its keys and values a moved layer gives other tokens: the tests above can fail")
  func sensitivity() throws {
    let bench = try EngineBench(path, context: 256)
    let opening = SequenceOpening(sampling: Self.sampling, history: Array(prompts[1].suffix(64)))
    bench.begin(1, .prefill, [entry(1, prompts[1], wanted: .nothing)])
    bench.drain()
    let other = try EngineBench(path, context: 256)
    for bench in [bench, other] {
      bench.begin(2, .decode, [entry(1, [5], at: 150, wanted: .token, opening: opening)])
      bench.drain()
    }
    #expect(bench.results[StepID(rawValue: 2)] != nil)
    #expect(bench.results[StepID(rawValue: 2)] != other.results[StepID(rawValue: 2)])
  }

  // MARK: - Order and limits

  /// A bench with two sequences of one and two blocks in three layers.
  private func filled(sequences: Int = 4) throws -> EngineBench {
    let bench = try EngineBench(path, context: 192, sequences: sequences)
    bench.begin(1, .prefill, [entry(9, Array(prompts[0]), wanted: .nothing)])
    bench.begin(2, .prefill, [entry(4, Array(prompts[1].prefix(100)), wanted: .nothing)])
    bench.drain()
    #expect(bench.results.count == 2)
    return bench
  }

  @Test("slabs come by sequence, block and layer, only of the layers that were asked for and are here")
  func order() throws {
    let engine = try filled().engine
    var slabs: [String] = []
    engine.exportBlocks(layers: 1..<7) { slab in
      slabs.append("\(slab.sequence).\(slab.block).\(slab.layer)")
      #expect(slab.bytes.contains { $0 != 0 })
    }
    #expect(slabs == ["4.0.1", "4.0.2", "4.1.1", "4.1.2", "9.0.1", "9.0.2"])
    #expect(engine.blockExport(layers: 1..<7).slabCount == 6)
    var nothing = engine.blockExport(layers: 3..<9)
    let end = [nothing.next(), nothing.next()]
    #expect(nothing.slabCount == 0 && end.allSatisfy { $0 == nil })
    #expect(engine.exportByteCount(layers: 3..<9) == 0)
  }

  @Test("slabs for a layer that is not here, past the context, of another size or beyond the room are typed errors")
  func hostileImports() throws {
    let source = try filled().engine
    let target = try EngineBench(path, stages: [(0, 0..<2)], context: 192, sequences: 2).engine
    var export = source.blockExport(layers: 1..<2)
    let next = export.next()
    let slab = try #require(next)
    func error(_ sequence: UInt64, _ layer: Int, _ block: Int, _ bytes: UnsafeRawBufferPointer) -> EngineError.Code? {
      do {
        try target.importBlock(
          sequence: SequenceID(rawValue: sequence), layer: LayerIndex(layer), block: block, bytes: bytes)
        return nil
      } catch { return error.code }
    }
    for layer in [2, 3, -1, 65_535] { #expect(error(1, layer, 0, slab.bytes) == .protocolViolation) }
    for block in [3, -1, .max, .min] { #expect(error(1, 1, block, slab.bytes) == .protocolViolation) }
    for count in [0, 1, slab.bytes.count - 1] {
      #expect(error(1, 1, 0, UnsafeRawBufferPointer(rebasing: slab.bytes[..<count])) == .protocolViolation)
    }
    #expect(error(1, 1, 0, UnsafeRawBufferPointer(start: nil, count: 0)) == .protocolViolation)
    #expect(target.keyValueBlocksInUse == 0)
    #expect(error(1, 1, 2, slab.bytes) == nil)
    #expect(error(2, 1, 1, slab.bytes) == nil)
    #expect(target.keyValueBlocksInUse == 5)
    #expect(error(3, 1, 0, slab.bytes) == .capacity)
    #expect(error(2, 1, 2, slab.bytes) == nil && target.keyValueBlocksInUse == 6)
    target.begin(
      StepBatch(
        id: StepID(rawValue: 1), phase: .decode, entries: [],
        released: [
          SequenceID(rawValue: 1), SequenceID(rawValue: 2),
        ]))
    #expect(target.keyValueBlocksInUse == 0)
  }

  // MARK: - Inheritance

  private func heir(_ old: EngineBench, sequences: Int, context: Int = 192, stages: [Range<Int>] = [0..<3]) throws
    -> EngineBench
  {
    try EngineBench(
      path, stages: stages.enumerated().map { ($0.offset, $0.element) }, context: context, sequences: sequences,
      inheriting: old.engine)
  }

  @Test("an engine for fewer sequences keeps what is there until it is released, then no more than it may")
  func fewerSequences() throws {
    for stages in [[0..<3], [0..<1, 1..<3]] {
      let old = try filled()
      let bench = try heir(old, sequences: 1, stages: stages)
      #expect(bench.engine.keyValueBlocksInUse == 3 * stages.count)
      bench.onHandOver = { [unowned bench] pass, stage in bench.engine.resume(pass, stage: stage) }
      bench.begin(10, .decode, [entry(9, [1], at: 41, wanted: .logits(rows: 1))], released: [SequenceID(rawValue: 4)])
      bench.drain()
      #expect(bench.logits(10) != nil && bench.engine.keyValueBlocksInUse == stages.count)
      bench.begin(11, .prefill, [entry(12, Array(prompts[1].prefix(150)))])
      bench.drain()
      #expect((bench.failures.first?.error as? EngineError)?.code == .capacity)
    }
  }

  @Test("progress and what was released are carried over, so that stale passes stay stale")
  func bookkeeping() throws {
    let old = try filled()
    old.begin(5, .decode, [], released: [SequenceID(rawValue: 9)])
    let bench = try heir(old, sequences: 4, stages: [0..<1, 1..<3])
    #expect(bench.engine.progress == old.engine.progress && bench.engine.progress > 0)
    let rows = [Float](repeating: 0, count: spec.hyperparameters.hiddenSize)
    rows.withUnsafeBufferPointer { rows in
      guard let base = rows.baseAddress else { return }
      bench.engine.resume(
        PassHandOver(
          step: StepID(rawValue: 4), phase: .decode, pass: 0, passCount: 1,
          entries: [entry(9, [1], at: 41, wanted: .nothing)], released: [], rows: base, rowCount: 1), stage: 1)
    }
    #expect(bench.engine.isIdle && bench.failures.isEmpty)
  }

  @Test("keys and values of another context are not taken over")
  func otherKind() throws {
    let bench = try heir(filled(), sequences: 4, context: 256)
    #expect(bench.engine.keyValueBlocksInUse == 0)
  }
}
