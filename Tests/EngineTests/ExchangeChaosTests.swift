import Scheduling
import Tensors
import Testing

@testable import Engine

/// Answers in any order, late, twice or never, parts sent again, nodes lost: the results are those of the undisturbed run.
@Suite struct ExchangeChaosTests {
  private static let prompt = (0..<11).map { TokenID(UInt32($0 * 7 % 40)) }

  /// The steps of a small generation: two prompts, then rows after them.
  private static let steps: [(phase: StepPhase, entries: [StepEntry])] = [
    (.prefill, [entry(1, prompt, wanted: .logits(rows: 3))]),
    (.prefill, [entry(2, Array(prompt.prefix(5))), entry(1, [8, 9], at: 11)]),
    (.decode, [entry(1, [4], at: 13), entry(2, [5], at: 5)]),
    (.decode, [entry(2, [6], at: 6)]),
  ]

  private func expected(_ path: String) throws -> [[StepResult]] {
    let bench = try EngineBench(path, rowCapacity: 4)
    return Self.steps.enumerated().map { index, step in
      bench.begin(UInt64(index + 1), step.phase, step.entries)
      bench.drain()
      return bench.results[StepID(rawValue: UInt64(index + 1))] ?? []
    }
  }

  @Test("whatever happens to answers and nodes, each step gives its bits", arguments: 1...60)
  func random(seed: Int) throws { try check(TinyModel(), seed: seed) }

  @Test(
    "the same for shared experts, dense layers and biases of experts",
    arguments: [TinyModel.Family.qwen2moe, .glm4moe, .gptOSS], 1...12
  )
  func families(family: TinyModel.Family, seed: Int) throws { try check(TinyModel(family), seed: seed) }

  private func check(_ model: TinyModel, seed: Int) throws {
    let expected = try expected(model.path)
    var chaos = try Chaos(model.path, seed: UInt64(seed))
    for (index, step) in Self.steps.enumerated() {
      let results = try chaos.run(step.phase, step.entries)
      #expect(results == expected[index], "seed \(seed), step \(index)")
    }
    #expect(chaos.host.failures.isEmpty && chaos.host.engine.isIdle)
    #expect(chaos.host.engine.spareRetained.allSatisfy { !$0.isValid })
    _ = try chaos.run(.decode, [], released: [SequenceID(rawValue: 1), SequenceID(rawValue: 2)])
    #expect(chaos.host.engine.keyValueBlocksInUse == 0)
  }

  @Test("the disturbances do happen")
  func happens() throws {
    let model = try TinyModel()
    var (resent, lost, interrupted, late) = (0, 0, 0, 0)
    for seed in UInt64(1)...20 {
      var chaos = try Chaos(model.path, seed: seed)
      for step in Self.steps { _ = try chaos.run(step.phase, step.entries) }
      resent += chaos.resent
      lost += chaos.lost.count
      interrupted += chaos.host.interruptions.count
      late += chaos.deliveries - chaos.host.taken.count
    }
    #expect(resent > 50 && lost > 10 && interrupted > 3 && late > 50)
  }

  /// A host and its expert nodes: who holds what, which answers are on their way.
  private struct Chaos {
    let host: EngineBench
    private let experts: EngineBench
    private var random: SplitMix
    private var step: UInt64 = 0
    private(set) var lost: Set<Int> = []
    private(set) var resent = 0
    private(set) var deliveries = 0
    /// What the host sent and how often it may still be answered.
    private var onTheWay: [(sent: EngineBench.Sent, times: Int)] = []
    private var seen = 0

    init(_ path: String, seed: UInt64) throws {
      random = SplitMix(state: seed)
      host = try EngineBench(path, rowCapacity: 4)
      experts = try EngineBench(path, stages: [], rowCapacity: 4)
      placeExperts()
    }

    /// Draws who holds each expert; lost nodes hold nothing, and what nobody holds is the host's.
    private mutating func placeExperts() {
      let alive = (1..<6).filter { !lost.contains($0) }
      let holders = (0..<4).map { _ -> [Int] in
        let drawn = Set((0..<3).compactMap { _ in random.next(below: 6) }).filter { $0 == 0 || alive.contains($0) }
        return drawn.isEmpty ? [0] : drawn.sorted()
      }
      var turn = random.next(below: 100)
      host.owner = { expert in
        turn += 1
        return holders[expert][turn % holders[expert].count]
      }
      let gone = lost
      host.replica = { expert, except in
        turn += 1
        let others = holders[expert].filter { $0 != except && !gone.contains($0) }
        return others.isEmpty ? nil : others[turn % others.count]
      }
    }

    /// Runs a step until it is through, from its start again each time it is interrupted.
    mutating func run(
      _ phase: StepPhase, _ entries: [StepEntry], released: [SequenceID] = []
    ) throws -> [StepResult] {
      while true {
        step += 1
        let before = host.interruptions.count
        host.begin(step, phase, entries, released: released)
        for _ in 0..<10_000 {
          host.drain()
          if let results = host.results[StepID(rawValue: step)] { return results }
          if host.interruptions.count > before { break }
          try disturb()
        }
        guard host.interruptions.count > before else {
          throw EngineError(.protocolViolation, "no end in sight: \(host.failures)")
        }
        placeExperts()
      }
    }

    private mutating func disturb() throws {
      for sent in host.sent[seen...] { onTheWay.append((sent, 1 + random.next(below: 2))) }
      seen = host.sent.count
      switch random.next(below: 40) {
      case 0 where lost.count < 4:
        let node = 1 + random.next(below: 5)
        lost.insert(node)
        let gone = lost
        let replica = host.replica
        host.replica = { expert, except in replica?(expert, except).flatMap { gone.contains($0) ? nil : $0 } }
        host.engine.lost(node: node)
      case 1..<14: try resendOne()
      default: try deliver()
      }
    }

    private mutating func resendOne() throws {
      var open: [(ExchangeKey, Int)] = []
      host.engine.forEachOpenPart { key, part, _, isResent in if !isResent { open.append((key, part)) } }
      guard !open.isEmpty else { return }
      let (key, part) = open[random.next(below: open.count)]
      if host.engine.resend(key, part: part) { resent += 1 }
    }

    /// One answer arrives, of a lost node too: it may have been sent before.
    private mutating func deliver() throws {
      guard !onTheWay.isEmpty else { return }
      let index = random.next(below: onTheWay.count)
      let sent = onTheWay[index].sent
      onTheWay[index].times -= 1
      if onTheWay[index].times == 0 { onTheWay.remove(at: index) }
      deliveries += 1
      guard let sums = try experts.sums(for: sent) else { throw EngineError(.protocolViolation, "no sums") }
      try host.engine.receive(sums, for: sent.key, part: sent.part, from: sent.node)
    }
  }
}
