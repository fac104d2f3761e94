import Engine
import Scheduling
import Tensors
import Testing

@Suite struct EngineQueueTests {
  private let model: TinyModel
  private static let prompt: [TokenID] = [3, 1, 4, 1, 5]

  init() throws { model = try TinyModel() }

  /// Frames as a peer would send them, one of each phase.
  private func frames(_ phase: StepPhase, rows: Int) throws -> EngineBench.Sent {
    let peer = try EngineBench(model.path)
    peer.owner = { _ in 1 }
    peer.begin(900, phase, [entry(1, Array(Self.prompt.prefix(rows)))])
    #expect(peer.engine.runOne())
    return try #require(peer.sent.first)
  }

  @Test("peers' decode comes before own decode, that before prefill; peers' and own prefill take turns")
  func order() throws {
    let bench = try EngineBench(model.path)
    bench.begin(1, .prefill, [entry(1, Self.prompt)])
    bench.begin(2, .decode, [entry(2, [7])])
    let prefill = try frames(.prefill, rows: 4)
    for _ in 0..<3 { try bench.request(prefill) }
    try bench.request(try frames(.decode, rows: 2))
    bench.drain()
    #expect(
      bench.log == [
        "peers' 2 rows", "own 1 rows, layer 0", "own 1 rows, layer 1",
        "peers' 4 rows", "own 5 rows, layer 0", "peers' 4 rows", "own 5 rows, layer 1", "peers' 4 rows",
      ])
    #expect(bench.engine.isIdle && bench.results.count == 2)
    #expect(!bench.engine.runOne())
  }

  @Test("a peer's decode row overtakes an own prefill between two layers")
  func overtaking() throws {
    let bench = try EngineBench(model.path)
    bench.begin(1, .prefill, [entry(1, Self.prompt)])
    #expect(bench.engine.runOne())
    try bench.request(try frames(.decode, rows: 1))
    bench.drain()
    #expect(bench.log == ["own 5 rows, layer 0", "peers' 1 rows", "own 5 rows, layer 1"])
  }

  @Test("a step that waits for experts holds up nobody, and goes on when they have answered")
  func suspension() throws {
    let expected = try reference()
    let bench = try EngineBench(model.path)
    let experts = try EngineBench(model.path, stages: [])
    bench.owner = { $0 < 2 ? 0 : 1 }
    bench.begin(1, .prefill, [entry(1, Self.prompt)])
    bench.drain()
    #expect(!bench.engine.isIdle && bench.results.isEmpty && bench.sent.count == 1)
    bench.owner = { _ in 0 }
    bench.begin(2, .decode, [entry(2, Self.prompt)])
    bench.drain()
    #expect(bench.logits(2) == expected && bench.logits(1) == nil)
    bench.owner = { $0 < 2 ? 0 : 1 }
    var answered = 0
    while answered < bench.sent.count {
      let sent = bench.sent[answered]
      try bench.engine.receive(try #require(try experts.sums(for: sent)), for: sent.key, part: sent.part, from: 1)
      answered += 1
      bench.drain()
    }
    #expect(bench.logits(1) == expected && bench.engine.isIdle)
    #expect(bench.engine.exchanges == UInt64(bench.sent.count))
  }

  @Test("passes of a step handed over out of order, and twice, give the bits of one engine")
  func outOfOrder() throws {
    let prompt = (0..<14).map { TokenID(UInt32($0 * 5 % 40)) }
    let whole = try EngineBench(model.path)
    whole.begin(1, .prefill, [entry(1, prompt, wanted: .logits(rows: 6))])
    whole.drain()
    let first = try EngineBench(model.path, stages: [(0, 0..<1)], rowCapacity: 4)
    let second = try EngineBench(model.path, stages: [(1, 1..<2)], rowCapacity: 4)
    first.begin(1, .prefill, [entry(1, prompt, wanted: .logits(rows: 6))])
    first.drain()
    #expect(first.handedOver.count == 4 && first.engine.isIdle)
    for index in [3, 1, 0, 2] {
      first.handedOver[index].resume(on: second.engine)
      first.handedOver[index].resume(on: second.engine)
      second.drain()
    }
    #expect(second.logits(1) != nil && second.logits(1) == whole.logits(1))
    #expect(second.engine.isIdle && second.failures.isEmpty)
  }

  @Test("the pass that leaves first takes the released sequences along, whichever it is")
  func releasedFirst() throws {
    let first = try EngineBench(model.path, stages: [(0, 0..<1)], rowCapacity: 2)
    let experts = try EngineBench(model.path, stages: [])
    first.owner = { _ in 1 }
    let ended = [SequenceID(rawValue: 8)]
    first.begin(1, .prefill, [entry(1, [1, 2, 3, 4])], released: ended)
    first.drain()
    #expect(first.sent.map(\.key.pass) == [0, 1])
    for sent in first.sent.reversed() {
      try first.engine.receive(try #require(try experts.sums(for: sent)), for: sent.key, part: sent.part, from: 1)
      first.drain()
    }
    #expect(first.handedOver.map(\.pass.pass) == [1, 0])
    #expect(first.handedOver.map(\.pass.released) == [ended, []])
  }

  @Test("two stages on one node give the bits of one")
  func twoStages() throws {
    let bench = try EngineBench(model.path, stages: [(0, 0..<1), (1, 1..<2)], rowCapacity: 2)
    bench.onHandOver = { [unowned bench] pass, stage in bench.engine.resume(pass, stage: stage) }
    bench.begin(1, .prefill, [entry(1, Self.prompt)])
    bench.drain()
    #expect(bench.logits(1) == (try reference()) && bench.engine.isIdle)
    bench.begin(2, .decode, [], released: [SequenceID(rawValue: 1)])
    #expect(bench.results[StepID(rawValue: 2)] == [] && bench.engine.keyValueBlocksInUse == 0)
  }

  @Test("a sequence that a step releases and begins anew is freed once, also where several stages are on one node")
  func releasedAndBegunAnew() throws {
    let bench = try EngineBench(model.path, stages: [(0, 0..<1), (1, 1..<2)], rowCapacity: 2)
    bench.onHandOver = { [unowned bench] pass, stage in bench.engine.resume(pass, stage: stage) }
    bench.begin(1, .prefill, [entry(1, [7, 8, 9])])
    bench.drain()
    bench.begin(2, .prefill, [entry(1, Self.prompt)], released: [SequenceID(rawValue: 1)])
    bench.drain()
    #expect(bench.logits(2) == (try reference()) && bench.failures.isEmpty && bench.engine.isIdle)
    #expect(bench.engine.keyValueBlocksInUse == 2)
  }

  @Test("a hand-over that fails on the same node leaves the passes apart from each other")
  func failedHandOver() throws {
    let bench = try EngineBench(model.path, stages: [(0, 0..<1), (1, 1..<2)])
    bench.onHandOver = { [unowned bench] pass, _ in bench.engine.resume(pass, stage: 9) }
    bench.begin(1, .prefill, [entry(1, Self.prompt)])
    bench.drain()
    #expect(bench.failures.count == 1 && bench.engine.isIdle)
    bench.onHandOver = { [unowned bench] pass, stage in bench.engine.resume(pass, stage: stage) }
    let other: [TokenID] = [30, 31, 32, 33, 34]
    bench.begin(2, .prefill, [entry(2, Self.prompt)])
    bench.begin(3, .prefill, [entry(3, other)])
    bench.drain()
    #expect(bench.logits(2) == (try reference()))
    let alone = try EngineBench(model.path)
    alone.begin(3, .prefill, [entry(3, other)])
    alone.drain()
    #expect(bench.logits(3) == alone.logits(3))
  }

  private func reference() throws -> [UInt32]? {
    let bench = try EngineBench(model.path)
    bench.begin(1, .prefill, [entry(1, Self.prompt)])
    bench.drain()
    return bench.logits(1)
  }
}
