import Scheduling
import Tensors
import Testing

@testable import Engine

/// Steps that begin with tokens which the engine itself sampled, sent before these are known.
@Suite struct StepsAheadTests {
  private let model: TinyModel
  private static let sampling = SamplingParameters(temperature: 1.5, topK: 0, topP: 1, repeatPenalty: 1.5, seed: 3)
  private static let prompts: [[TokenID]] = [[3, 1, 4], [1, 5, 9, 2, 6], [5, 3]]

  init() throws { model = try TinyModel() }

  private func opened(_ index: Int, endTokens: Set<TokenID> = []) -> StepEntry {
    let prompt = Self.prompts[index]
    let opening = SequenceOpening(sampling: Self.sampling, history: prompt, endTokens: endTokens)
    return entry(UInt64(index), prompt, wanted: .token, opening: opening)
  }

  private func ahead(_ index: Int, at position: Int) -> StepEntry {
    StepEntry(
      sequence: SequenceID(rawValue: UInt64(index)), position: position, rowCount: 1, tokens: [], wanted: .token)
  }

  private func tokens(_ bench: EngineBench, _ step: UInt64) -> [TokenID?] {
    (bench.results[StepID(rawValue: step)] ?? []).map { result in
      if case .token(let token, _) = result.outcome { token } else { nil }
    }
  }

  /// The tokens of each prompt, one step after the other.
  private func reference(count: Int) throws -> [[TokenID]] {
    let bench = try EngineBench(model.path)
    return try Self.prompts.indices.map { index in
      var answer: [TokenID] = []
      for number in 0..<count {
        let step = UInt64(1 + index * count + number)
        let decode = answer.last.map {
          entry(UInt64(index), [$0], at: Self.prompts[index].count + number - 1, wanted: .token)
        }
        bench.begin(step, .decode, [decode ?? opened(index)])
        bench.drain()
        let token = try #require(tokens(bench, step).first)
        answer.append(try #require(token))
      }
      return answer
    }
  }

  @Test(
    "a step that follows gives the same bits, whether it comes before or after the end of the one it follows",
    arguments: [1, 2, 16])
  func sameBits(rowCapacity: Int) throws {
    let expected = try reference(count: 6)
    for early in [true, false] {
      let bench = try EngineBench(model.path, rowCapacity: rowCapacity)
      bench.begin(1, .prefill, Self.prompts.indices.map { opened($0) })
      for step in UInt64(2)...6 {
        if !early { bench.drain() }
        let entries = Self.prompts.indices.map { ahead($0, at: Self.prompts[$0].count + Int(step) - 2) }
        bench.begin(step, .decode, entries, follows: step - 1)
        if early { while bench.results[StepID(rawValue: step - 1)] == nil, bench.engine.runOne() {} }
      }
      bench.drain()
      for step in 1...6 {
        #expect(tokens(bench, UInt64(step)) == expected.map { $0[step - 1] }, "step \(step)")
      }
      #expect(bench.failures.isEmpty && bench.interruptions.isEmpty && bench.engine.isIdle)
    }
  }

  @Test(
    "for a sequence that has ended there is nothing to do; the others go on, and without others the step is through")
  func ended() throws {
    let expected = try reference(count: 4)
    let bench = try EngineBench(model.path)
    let end = expected[0][1]
    bench.begin(1, .prefill, [opened(0, endTokens: [end, 250]), opened(1)])
    bench.begin(2, .decode, [ahead(0, at: 3), ahead(1, at: 5)], follows: 1)
    bench.drain()
    #expect(tokens(bench, 2) == [end, expected[1][1]])
    let rows = bench.log.count
    bench.begin(3, .decode, [ahead(0, at: 4), ahead(1, at: 6)], follows: 2)
    bench.drain()
    #expect(Set(tokens(bench, 3)) == [nil, expected[1][2]] && tokens(bench, 3).count == 2)
    #expect(bench.log.dropFirst(rows).allSatisfy { $0.hasPrefix("own 1 rows") })
    let through = bench.log.count
    bench.begin(4, .decode, [ahead(0, at: 4)], released: [SequenceID(rawValue: 1)], follows: 3)
    #expect(tokens(bench, 4) == [nil] && bench.log.count == through && bench.engine.isIdle)
    #expect(bench.failures.isEmpty && bench.interruptions.isEmpty)
  }

  @Test("a step that is dropped takes the one that follows it along; what comes later is only interrupted")
  func dropped() throws {
    let bench = try EngineBench(model.path)
    bench.owner = { _ in 1 }
    bench.begin(1, .prefill, [opened(0)])
    bench.begin(2, .decode, [ahead(0, at: 3)], follows: 1)
    bench.drain()
    bench.engine.lost(node: 1)
    #expect(bench.interruptions.map(\.step) == [StepID(rawValue: 1)] && bench.engine.isIdle)
    #expect(bench.engine.followers.isEmpty)
    bench.begin(3, .decode, [ahead(0, at: 4)], follows: 2)
    #expect(bench.interruptions.map(\.step) == [1, 3].map(StepID.init(rawValue:)))
    // The same once more, and then right: nothing of the steps that were dropped is left.
    bench.owner = { _ in 0 }
    let expected = try reference(count: 2)[0]
    bench.begin(4, .prefill, [opened(0)])
    bench.begin(5, .decode, [ahead(0, at: 3)], follows: 4)
    bench.drain()
    #expect([4, 5].map { tokens(bench, $0) } == expected.map { [$0] })
    #expect(bench.results.count == 2 && bench.failures.isEmpty)
  }

  @Test("what no step may be that follows another fails, whether that is under way or through; the engine lives on")
  func refused() throws {
    let bench = try EngineBench(model.path)
    let wrong: [(StepPhase, StepEntry)] = [
      (.prefill, ahead(0, at: 3)), (.decode, entry(0, [], at: 3, wanted: .nothing)),
      (.decode, StepEntry(sequence: SequenceID(rawValue: 0), position: 3, rowCount: 2, tokens: [], wanted: .token)),
      (
        .decode,
        StepEntry(sequence: SequenceID(rawValue: 0), position: 3, rowCount: 1, tokens: [], wanted: .logits(rows: 1))
      ),
    ]
    var step: UInt64 = 1
    for (phase, entry) in wrong {
      for isEarly in [true, false] {
        bench.begin(step, .prefill, [opened(0)])
        if !isEarly { bench.drain() }
        bench.begin(step + 1, phase, [entry], follows: step)
        bench.drain()
        #expect(bench.failures.last?.step == StepID(rawValue: step + 1), "\(phase) \(entry)")
        step += 2
      }
    }
    #expect(bench.failures.count == 2 * wrong.count)
    bench.begin(100, .prefill, [opened(0)])
    bench.begin(101, .decode, [ahead(0, at: 3)], follows: 100)
    bench.begin(102, .decode, [ahead(0, at: 3)], follows: 100)
    #expect(bench.failures.last?.step == StepID(rawValue: 102))
    bench.drain()
    #expect(bench.results[StepID(rawValue: 101)]?.count == 1 && bench.engine.isIdle)
    for position in [0, 2, 5, 1 << 30] {
      bench.begin(UInt64(200 + position), .decode, [ahead(0, at: position)], follows: 101)
      #expect(bench.failures.last?.step == StepID(rawValue: UInt64(200 + position)))
    }
    bench.begin(300, .decode, [ahead(1, at: 4)], follows: 101)
    #expect(bench.failures.last?.step == StepID(rawValue: 300) && bench.interruptions.isEmpty)
  }

  @Test("a step half of whose sequences were sampled when it was dropped is not followed")
  func halfSampled() throws {
    let bench = try EngineBench(model.path, rowCapacity: 1)
    bench.begin(1, .prefill, [opened(0), opened(1)])
    bench.drain()
    bench.begin(2, .decode, [ahead(0, at: 3), ahead(1, at: 5)], follows: 1)
    while bench.engine.samplingStates[SequenceID(rawValue: 0)]?.end == 4, bench.engine.runOne() {}
    #expect(bench.engine.samplingStates[SequenceID(rawValue: 1)]?.end == 6 && !bench.engine.isIdle)
    bench.engine.abandon(StepID(rawValue: 2))
    bench.begin(3, .decode, [ahead(0, at: 4)], follows: 2)
    #expect(bench.interruptions.map(\.step) == [StepID(rawValue: 3)] && bench.engine.isIdle)
  }

  @Test("a step that is abandoned while it waits is forgotten")
  func abandonedWaiting() throws {
    let bench = try EngineBench(model.path)
    bench.begin(1, .prefill, [opened(0)])
    bench.begin(2, .decode, [ahead(0, at: 3)], follows: 1)
    bench.engine.abandon(StepID(rawValue: 2))
    bench.drain()
    #expect(bench.results.keys.map(\.rawValue) == [1] && bench.engine.followers.isEmpty)
  }

  @Test("a node that does not host all layers refuses, and keeps nothing")
  func severalStages() throws {
    for stages in [[(0, 0..<1)], [(1, 1..<2)], [(0, 0..<1), (1, 1..<2)]] {
      let bench = try EngineBench(model.path, stages: stages)
      bench.begin(1, .prefill, [opened(0)])
      bench.begin(2, .decode, [ahead(0, at: 3)], follows: 1)
      #expect(bench.failures.last?.step == StepID(rawValue: 2) && bench.engine.followers.isEmpty)
    }
  }
}
