import Engine
import ModelGraph
import Scheduling
import Tensors
import Testing

/// Answers and requests that do not fit, and steps that are given up.
@Suite struct EngineExchangeTests {
  private let model: TinyModel
  private static let prompt: [TokenID] = [3, 1, 4, 1, 5]

  init() throws { model = try TinyModel() }

  /// A bench whose experts are all on node 1, and that node.
  private func pair() throws -> (host: EngineBench, experts: EngineBench) {
    let host = try EngineBench(model.path)
    host.owner = { _ in 1 }
    return (host, try EngineBench(model.path, stages: []))
  }

  /// Answers everything that was sent from `start` on, until the step is through.
  private func answer(_ host: EngineBench, _ experts: EngineBench, from start: Int = 0, times: Int = 1) throws {
    var next = start
    while next < host.sent.count {
      let sent = host.sent[next]
      let sums = try #require(try experts.sums(for: sent))
      for _ in 0..<times { try host.engine.receive(sums, for: sent.key, part: sent.part, from: 1) }
      host.drain()
      next += 1
    }
  }

  @Test("an answer that comes twice counts once; one from a node that was not asked, or for another pass, not at all")
  func duplicates() throws {
    let (host, experts) = try pair()
    host.begin(1, .prefill, [entry(1, Self.prompt)])
    host.drain()
    let sent = try #require(host.sent.first)
    let sums = try #require(try experts.sums(for: sent))
    try host.engine.receive(sums, for: sent.key, part: sent.part, from: 2)
    let other = ExchangeKey(step: sent.key.step, phase: .prefill, pass: 1, layer: 0)
    try host.engine.receive(sums, for: other, part: sent.part, from: 1)
    #expect(!host.engine.runOne())
    try answer(host, experts, times: 2)
    let once = try pair()
    once.host.begin(1, .prefill, [entry(1, Self.prompt)])
    once.host.drain()
    try answer(once.host, once.experts)
    #expect(host.logits(1) != nil && host.logits(1) == once.host.logits(1))
  }

  @Test("an answer of another number of rows is an error, and the right one still counts")
  func wrongRowCount() throws {
    let (host, experts) = try pair()
    host.begin(1, .prefill, [entry(1, Self.prompt)])
    host.drain()
    let sent = try #require(host.sent.first)
    let short = EngineCluster.Sums(rowCount: 1, width: 32, values: Array(repeating: 0, count: 32))
    let error = #expect(throws: EngineError.self) {
      try host.engine.receive(short, for: sent.key, part: sent.part, from: 1)
    }
    #expect(error?.code == .protocolViolation)
    try answer(host, experts)
    #expect(host.logits(1) != nil)
  }

  @Test("a step that was given up takes no more answers, and gives the same bits when it runs again")
  func abandonment() throws {
    let (host, experts) = try pair()
    host.begin(1, .prefill, [entry(1, Self.prompt)])
    host.drain()
    let late = try #require(host.sent.first)
    host.engine.abandon(StepID(rawValue: 1))
    #expect(host.engine.isIdle)
    try host.engine.receive(try #require(try experts.sums(for: late)), for: late.key, part: late.part, from: 1)
    #expect(!host.engine.runOne() && host.failures.isEmpty)
    let start = host.sent.count
    host.begin(1, .prefill, [entry(1, Self.prompt)])
    host.drain()
    try answer(host, experts, from: start)
    let fresh = try pair()
    fresh.host.begin(5, .prefill, [entry(9, Self.prompt)])
    fresh.host.drain()
    try answer(fresh.host, fresh.experts)
    #expect(host.logits(1) != nil && host.logits(1) == fresh.host.logits(5))
  }

  @Test("a refusal fails the step once; one that nobody waits for fails nothing")
  func refusal() throws {
    let (host, _) = try pair()
    host.begin(1, .prefill, [entry(1, Self.prompt)])
    host.drain()
    let key = try #require(host.sent.first).key
    let error = EngineError(.protocolViolation, "no")
    host.engine.refused(key, part: 0, by: 2, because: error)
    #expect(host.failures.isEmpty)
    host.engine.refused(key, part: 0, by: 1, because: error)
    host.engine.refused(key, part: 0, by: 1, because: error)
    #expect(host.failures.count == 1 && host.engine.isIdle)
  }

  @Test("a step begun twice fails")
  func twice() throws {
    let (host, _) = try pair()
    host.begin(1, .prefill, [entry(1, Self.prompt)])
    host.begin(1, .prefill, [entry(1, Self.prompt)])
    #expect(host.failures.count == 1 && host.engine.isIdle)
  }

  @Test("a released sequence takes the work along that was under way for it")
  func releaseDropsWork() throws {
    let (host, _) = try pair()
    host.begin(1, .prefill, [entry(1, Self.prompt)])
    host.drain()
    host.begin(2, .decode, [], released: [SequenceID(rawValue: 1)])
    #expect(host.engine.isIdle && host.engine.keyValueBlocksInUse == 0)
  }

  // MARK: - Requests

  private func sent() throws -> EngineBench.Sent {
    let (host, _) = try pair()
    host.begin(1, .prefill, [entry(1, Self.prompt)])
    host.drain()
    return try #require(host.sent.first)
  }

  @Test("a request for an expert that is not here is refused, naming it")
  func missingExpert() throws {
    let node = try EngineBench(model.path, experts: 0..<1, stages: [])
    let frame = try sent()
    #expect(frame.experts.contains { $0 > 0 })
    try node.request(frame, from: 2)
    node.drain()
    #expect(node.answers.isEmpty && node.refusals.count == 1 && node.refusals.first?.node == 2)
    #expect(node.refusals.first?.sentence.contains("is not on this node") == true)
  }

  @Test("requests with impossible contents are refused, and the next good one is answered")
  func impossible() throws {
    let node = try EngineBench(model.path, stages: [])
    let good = try sent()
    let nan = withUnsafeBytes(of: Float.nan) { Array($0) }
    var notFinite = good
    notFinite.rows[.float32]?[1].replaceSubrange(4..<8, with: nan)
    var wrongForm = good
    wrongForm.rows = [.int8x32: good.rows[.float32]?.map { Array($0.prefix(36)) } ?? []]
    var noRows = good
    noRows.rows = [:]
    var twice = good
    twice.experts[1] = twice.experts[0]
    var beyond = good
    beyond.experts[0] = 4
    var negative = good
    negative.experts[0] = -1
    var badWeight = good
    badWeight.weights[0] = .nan
    for bad in [notFinite, wrongForm, noRows, twice, beyond, negative, badWeight] {
      let before = node.refusals.count
      try node.request(bad)
      node.drain()
      #expect(node.refusals.count == before + 1 && node.answers.isEmpty)
    }
    #expect(try node.sums(for: good) != nil)
  }

  @Test("requests larger than a pass may be, or for a layer that is none, are not even taken")
  func tooLarge() throws {
    let node = try EngineBench(model.path, stages: [], rowCapacity: 4)
    let key = ExchangeKey(step: StepID(rawValue: 1), phase: .decode, pass: 0, layer: 1)
    #expect(throws: EngineError.self) {
      try node.engine.makeRequest(key, part: 0, from: 1, rowCount: 5, choiceCount: 5)
    }
    #expect(throws: EngineError.self) {
      try node.engine.makeRequest(key, part: 0, from: 1, rowCount: 0, choiceCount: 0)
    }
    #expect(throws: EngineError.self) {
      try node.engine.makeRequest(key, part: 0, from: 1, rowCount: 4, choiceCount: 9)
    }
    for layer in [LayerIndex(2), LayerIndex(-1), LayerIndex(65_535)] {
      let bad = ExchangeKey(step: key.step, phase: .decode, pass: 0, layer: layer)
      #expect(throws: EngineError.self) {
        try node.engine.makeRequest(bad, part: 0, from: 1, rowCount: 1, choiceCount: 1)
      }
    }
    #expect(try node.engine.makeRequest(key, part: 0, from: 1, rowCount: 4, choiceCount: 8).rowCount == 4)
  }

  @Test("more waiting requests than any host can have are refused")
  func flood() throws {
    let node = try EngineBench(model.path, stages: [])
    let frame = try sent()
    var taken = 0
    let error = #expect(throws: EngineError.self) {
      while taken < 5000 {
        try node.request(frame)
        taken += 1
      }
    }
    #expect(error?.code == .capacity && taken == 1024)
    node.drain()
    #expect(node.answers.count == taken)
    #expect(try node.sums(for: frame) != nil)
  }
}
