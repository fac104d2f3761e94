import Scheduling
import Tensors
import Testing

@testable import Engine

/// Rows sent again to replicas: whatever comes first, late, twice or never, the bits are those of the undisturbed run.
@Suite struct ExchangePartTests {
  private typealias Sent = EngineBench.Sent
  private let model: TinyModel
  private let expected: [UInt32]
  private static let prompt: [TokenID] = [3, 1, 4, 1, 5, 9, 2, 6]

  init() throws {
    model = try TinyModel()
    let bench = try EngineBench(model.path)
    bench.begin(1, .prefill, [entry(1, Self.prompt)])
    bench.drain()
    expected = try #require(bench.logits(1))
  }

  /// A host whose experts are all on node 1, and again experts 0 and 1 on node 2, the others on node 3.
  private final class Table {
    let host: EngineBench
    let experts: EngineBench

    init(_ path: String) throws {
      host = try EngineBench(path)
      experts = try EngineBench(path, stages: [])
      host.owner = { _ in 1 }
      host.replica = { expert, _ in expert < 2 ? 2 : 3 }
    }

    func answer(_ sent: Sent) throws {
      let sums = try #require(try experts.sums(for: sent))
      try host.engine.receive(sums, for: sent.key, part: sent.part, from: sent.node)
    }

    /// Sends a part again; gives what goes out for it.
    func resend(_ sent: Sent, expecting result: Bool = true) -> [Sent] {
      let before = host.sent.count
      #expect(host.engine.resend(sent.key, part: sent.part) == result)
      return Array(host.sent[before...])
    }

    func sending(_ body: () -> Void) -> [Sent] {
      let before = host.sent.count
      body()
      return Array(host.sent[before...])
    }

    /// Whether the exchange is still waited for.
    var waits: Bool { !host.engine.runOne() && host.results.isEmpty }
    var openParts: [String] {
      var parts: [String] = []
      host.engine.forEachOpenPart { _, part, node, isResent in parts.append("\(part)@\(node)\(isResent ? "r" : "")") }
      return parts
    }
  }

  /// Runs the prompt; each layer's exchange is handled by `scenario`, which gets the part that was sent first.
  @discardableResult
  private func expectSameBits(_ scenario: (Table, Sent) throws -> Void) throws -> Table {
    let table = try Table(model.path)
    table.host.begin(1, .prefill, [entry(1, Self.prompt)])
    for layer in 0..<2 {
      table.host.drain()
      let sent = try #require(table.host.sent.first { $0.key.layer.rawValue == layer })
      try scenario(table, sent)
    }
    table.host.drain()
    #expect(table.host.logits(1) == expected)
    #expect(table.host.failures.isEmpty && table.host.interruptions.isEmpty && table.host.engine.isIdle)
    return table
  }

  @Test("the original's answer comes first, the replacements' are dropped")
  func originalFirst() throws {
    let table = try expectSameBits { table, original in
      #expect(table.openParts == ["0@1"])
      let again = table.resend(original)
      #expect(again.map(\.node) == [2, 3] && again.map(\.part) == [1, 2])
      #expect(table.openParts == ["0@1r", "1@2r", "2@3r"] && table.waits)
      try table.answer(original)
      #expect(table.openParts.isEmpty)
      for part in again { try table.answer(part) }
    }
    #expect(table.host.taken == ["0@1:8", "0@1:8"])
  }

  @Test("all replacements come first, the original's answer is dropped")
  func replacementsFirst() throws {
    let table = try expectSameBits { table, original in
      let again = table.resend(original)
      try table.answer(again[1])
      #expect(table.waits)
      try table.answer(again[0])
      #expect(table.openParts.isEmpty)
      try table.answer(original)
    }
    #expect(table.host.taken.isEmpty)
  }

  @Test("some of the replacements, then the original: each row counts once")
  func partialReplacement() throws {
    for first in 0...1 {
      try expectSameBits { table, original in
        let again = table.resend(original)
        try table.answer(again[first])
        try table.answer(original)
        try table.answer(again[1 - first])
        try table.answer(again[first])
      }
    }
  }

  @Test("every answer comes twice")
  func twice() throws {
    try expectSameBits { table, original in
      let again = table.resend(original)
      for part in again + again + [original, original] { try table.answer(part) }
    }
    try expectSameBits { table, original in
      let again = table.resend(original)
      for part in [again[0], again[0], original, original] + again { try table.answer(part) }
    }
  }

  @Test("answers for a part that is none, or from another node than the part's, are not taken")
  func wrongPart() throws {
    try expectSameBits { table, original in
      let again = table.resend(original)
      let sums = try #require(try table.experts.sums(for: original))
      for part in [-1, 1, 2, 3, 255, 256, .max] {
        try table.host.engine.receive(sums, for: original.key, part: part, from: 1)
      }
      for node in [0, 2, 3, -1] { try table.host.engine.receive(sums, for: original.key, part: 0, from: node) }
      #expect(table.openParts.count == 3 && table.waits)
      let short = EngineCluster.Sums(rowCount: 1, width: 32, values: Array(repeating: 7, count: 32))
      for part in again where part.rowCount != 1 {
        #expect(throws: EngineError.self) {
          try table.host.engine.receive(short, for: part.key, part: part.part, from: part.node)
        }
      }
      for part in again { try table.answer(part) }
    }
  }

  @Test("a part is resent once; parts that are none, replacements and answered ones never")
  func resentOnce() throws {
    try expectSameBits { table, original in
      let again = table.resend(original)
      for part in [original] + again { #expect(table.resend(part, expecting: false).isEmpty) }
      for part in [-1, 3, 256] { #expect(!table.host.engine.resend(original.key, part: part)) }
      try table.answer(original)
      #expect(table.resend(original, expecting: false).isEmpty)
    }
  }

  @Test("a lost node's rows go to the replicas, and its answer is no longer taken")
  func originalLost() throws {
    try expectSameBits { table, original in
      let again = table.sending { table.host.engine.lost(node: 1) }
      #expect(again.map(\.node) == [2, 3] && table.openParts == ["1@2r", "2@3r"])
      try table.answer(again[0])
      try table.answer(original)
      #expect(table.waits)
      try table.answer(again[1])
    }
  }

  @Test("a lost replacement is replaced in its turn; the other one still counts")
  func replacementLost() throws {
    try expectSameBits { table, original in
      let again = table.resend(original)
      try table.answer(again[1])
      table.host.replica = { _, except in except == 2 ? 4 : nil }
      let third = table.sending { table.host.engine.lost(node: 2) }
      #expect(third.map(\.node) == [4])
      try table.answer(again[0])
      #expect(table.waits)
      try table.answer(third[0])
      #expect(table.openParts.isEmpty)
      try table.answer(original)
      table.host.replica = { expert, _ in expert < 2 ? 2 : 3 }
    }
  }

  @Test("when a lost replacement cannot be replaced, its original is waited for and may be resent again")
  func replacementGone() throws {
    try expectSameBits { table, original in
      let again = table.resend(original)
      try table.answer(again[1])
      table.host.replica = { _, _ in nil }
      #expect(table.sending { table.host.engine.lost(node: 2) }.isEmpty)
      #expect(table.openParts == ["0@1"] && table.waits)
      table.host.replica = { expert, _ in expert < 2 ? 2 : 3 }
      let more = table.resend(original)
      try table.answer(again[0])
      for part in more { try table.answer(part) }
    }
  }

  @Test("original and replacement lost: a third node is enough; without one the step is interrupted, not failed")
  func bothLost() throws {
    try expectSameBits { table, original in
      _ = table.resend(original)
      table.host.replica = { _, _ in 4 }
      #expect(table.sending { table.host.engine.lost(node: 1) }.isEmpty)
      let fourth = table.sending {
        table.host.engine.lost(node: 2)
        table.host.engine.lost(node: 3)
      }
      #expect(fourth.map(\.node) == [4, 4])
      for part in fourth { try table.answer(part) }
      table.host.replica = { expert, _ in expert < 2 ? 2 : 3 }
    }
    let table = try Table(model.path)
    table.host.begin(1, .prefill, [entry(1, Self.prompt)])
    table.host.drain()
    _ = table.resend(table.host.sent[0])
    table.host.replica = { _, _ in nil }
    table.host.engine.lost(node: 2)
    #expect(table.host.interruptions.isEmpty)
    table.host.engine.lost(node: 1)
    #expect(table.host.interruptions.count == 1 && table.host.failures.isEmpty && table.host.engine.isIdle)
    #expect((table.host.interruptions[0].error as? EngineError)?.code == .peerLost)
  }

  @Test("rows whose other holder is this node are computed here")
  func ownReplica() throws {
    let table = try expectSameBits { table, original in
      table.host.replica = { expert, _ in expert < 2 ? 0 : 3 }
      let again = table.resend(original)
      #expect(again.map(\.node) == [3] && table.waits)
      for part in again { try table.answer(part) }
      try table.answer(original)
    }
    #expect(table.host.taken.isEmpty)
    try expectSameBits { table, original in
      table.host.replica = { _, _ in 0 }
      #expect(table.resend(original).isEmpty && table.openParts.isEmpty)
      try table.answer(original)
    }
  }

  @Test("a holder that is the node itself, or none, is not taken")
  func badHolder() throws {
    try expectSameBits { table, original in
      for holder in [1, -1, 6, .min / (1 << 33), 1_000_000] {
        table.host.replica = { _, _ in holder }
        #expect(table.resend(original, expecting: false).isEmpty && table.openParts == ["0@1"])
      }
      try table.answer(original)
    }
  }

  // MARK: - Refusals

  private static let no = EngineError(.capacity, "no")

  @Test("what a node refuses goes to the replicas; a refusing replica leaves the original to be waited for")
  func refusals() throws {
    try expectSameBits { table, original in
      let again = table.sending {
        table.host.engine.refused(original.key, part: 0, by: 1, because: Self.no)
        table.host.engine.refused(original.key, part: 0, by: 1, because: Self.no)
      }
      #expect(again.count == 2)
      try table.answer(original)
      for part in again { try table.answer(part) }
    }
    try expectSameBits { table, original in
      let again = table.resend(original)
      try table.answer(again[0])
      table.host.engine.refused(original.key, part: again[1].part, by: 3, because: Self.no)
      #expect(table.openParts == ["0@1r"] && table.waits)
      try table.answer(again[1])
      try table.answer(original)
    }
    try expectSameBits { table, original in
      let again = table.resend(original)
      table.host.engine.refused(original.key, part: 0, by: 1, because: Self.no)
      for part in again { try table.answer(part) }
    }
  }

  @Test("when all have refused, the step fails once", arguments: [[0, 1], [1, 0], [2, 0]])
  func allRefused(order: [Int]) throws {
    let table = try Table(model.path)
    table.host.begin(1, .prefill, [entry(1, Self.prompt)])
    table.host.drain()
    let parts = [table.host.sent[0]] + table.resend(table.host.sent[0])
    for index in order + order {
      let part = parts[index]
      table.host.engine.refused(part.key, part: part.part, by: part.node, because: Self.no)
    }
    #expect(table.host.failures.count == 1 && table.host.interruptions.isEmpty && table.host.engine.isIdle)
  }

  // MARK: - Sending fails

  @Test("a node that nothing can be sent to is as good as lost, also when it is the replica")
  func unreachable() throws {
    let table = try Table(model.path)
    table.host.unreachable = [1]
    table.host.begin(1, .prefill, [entry(1, Self.prompt)])
    var next = 0
    table.host.drain()
    while next < table.host.sent.count {
      try table.answer(table.host.sent[next])
      next += 1
      table.host.drain()
    }
    #expect(table.host.logits(1) == expected && table.host.sent.allSatisfy { $0.node > 1 })
    try expectSameBits { table, original in
      table.host.unreachable = [3]
      let again = table.resend(original, expecting: false)
      #expect(again.map(\.node) == [2] && table.openParts == ["0@1"])
      try table.answer(again[0])
      #expect(table.waits)
      try table.answer(original)
    }
  }

  @Test("without a replica, or to the next host, it interrupts the step, which can run again")
  func interruption() throws {
    for (unreachable, replica) in [([1], nil), ([1, 2], 2)] as [(Set<Int>, Int?)] {
      let table = try Table(model.path)
      table.host.unreachable = unreachable
      table.host.replica = { _, _ in replica }
      table.host.begin(1, .prefill, [entry(1, Self.prompt)])
      table.host.drain()
      #expect(table.host.interruptions.map(\.step) == [StepID(rawValue: 1)] && table.host.failures.isEmpty)
      #expect(table.host.interruptions.first?.error is EngineBench.Unreachable && table.host.engine.isIdle)
      table.host.owner = { _ in 0 }
      table.host.begin(2, .prefill, [entry(1, Self.prompt)])
      table.host.drain()
      #expect(table.host.logits(2) == expected)
    }
    let first = try EngineBench(model.path, stages: [(0, 0..<1)])
    first.unreachable = [-1]
    first.begin(1, .prefill, [entry(1, Self.prompt)])
    first.begin(2, .decode, [], released: [SequenceID(rawValue: 4)])
    first.drain()
    #expect(first.interruptions.count == 2 && first.failures.isEmpty && first.engine.isIdle)
  }

  @Test("without replicas nothing is kept, and a loss interrupts the steps that wait for the node, no others")
  func nothingRetained() throws {
    let table = try Table(model.path)
    table.host.begin(1, .prefill, [entry(1, Self.prompt)])
    table.host.drain()
    #expect(table.host.engine.passes.first?.retained?.isValid == true)
    let bare = try EngineBench(model.path)
    bare.owner = { _ in 1 }
    bare.begin(1, .prefill, [entry(1, Self.prompt)])
    bare.drain()
    bare.owner = { _ in 2 }
    bare.begin(2, .decode, [entry(2, [7])])
    bare.drain()
    #expect(bare.engine.passes.allSatisfy { $0.retained == nil } && bare.engine.passes.count == 2)
    #expect(!bare.engine.resend(bare.sent[0].key, part: 0))
    bare.engine.lost(node: 3)
    #expect(bare.interruptions.isEmpty)
    bare.engine.lost(node: 1)
    #expect(bare.interruptions.map(\.step) == [StepID(rawValue: 1)] && bare.engine.passes.count == 1)
  }

  @Test("requests of a lost node are dropped, those of others are answered with their part")
  func droppedRequests() throws {
    let table = try Table(model.path)
    table.host.begin(1, .prefill, [entry(1, Self.prompt)])
    table.host.drain()
    let again = table.resend(table.host.sent[0])
    for node in [4, 5, 4] { for part in again { try table.experts.request(part, from: node) } }
    table.experts.engine.dropRequests(of: 4)
    table.experts.drain()
    #expect(table.experts.answers.map(\.part) == [1, 2])
    #expect(table.experts.engine.isIdle)
  }

  @Test("a part beyond the last number fits no frame: that is a typed error")
  func partLimit() throws {
    let table = try Table(model.path)
    let key = ExchangeKey(step: StepID(rawValue: 1), phase: .decode, pass: 0, layer: 1)
    for part in [-1, 256] {
      #expect(throws: EngineError.self) {
        try table.host.engine.makeRequest(key, part: part, from: 1, rowCount: 1, choiceCount: 1)
      }
    }
    #expect(try table.host.engine.makeRequest(key, part: 255, from: 1, rowCount: 1, choiceCount: 1).part == 255)
  }
}
