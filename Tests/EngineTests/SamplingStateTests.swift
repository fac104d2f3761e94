import Scheduling
import Tensors
import Testing

@testable import Engine

@Suite struct SamplingStateTests {
  private func state(window: Int, history: Int) -> SamplingState {
    let sampling = SamplingParameters(penaltyWindow: window)
    let tokens = (0..<history).map { TokenID(UInt32($0)) }
    return SamplingState(SequenceOpening(sampling: sampling, history: tokens), end: 100)
  }

  @Test("going back drops what was sampled, not what was there before")
  func rewind() throws {
    var state = state(window: 4, history: 4)
    state.append(50)
    state.append(51)
    try state.rewind(to: 101)
    #expect(state.history == [0, 1, 2, 3, 50] && state.end == 101)
    try state.rewind(to: 100)
    #expect(state.history == [0, 1, 2, 3] && state.end == 100)
    #expect(throws: EngineError.self) { try state.rewind(to: 99) }
    #expect(throws: EngineError.self) { try state.rewind(to: 101) }
  }

  @Test("after thousands of tokens the history is short, and going back still leaves the penalty window")
  func bounded() throws {
    for window in [0, 1, 64, 4096] {
      var state = state(window: window, history: min(window, 10))
      var all = state.history
      for token in 0..<10_000 {
        state.append(TokenID(UInt32(token)))
        all.append(TokenID(UInt32(token)))
        var copy = state
        try copy.rewind(to: copy.end - 1)
        #expect(copy.history.suffix(window) == all.dropLast().suffix(window))
      }
      #expect(state.history.count <= 2 * (window + 64))
      let known = (0..<all.count).filter { state.token(at: state.end - all.count + $0) != nil }
      #expect(known.count >= 64 && known.last == all.count - 1 && known.allSatisfy { $0 >= min(window, 10) })
      #expect(known.allSatisfy { state.token(at: state.end - all.count + $0) == all[$0] })
      #expect(state.token(at: state.end) == nil && state.token(at: Int.max) == nil && state.token(at: 0) == nil)
      var copy = state
      try copy.rewind(to: copy.end - 64)
      #expect(copy.history.suffix(window) == all.dropLast(64).suffix(window))
    }
  }

  @Test("a decode step that runs again chooses the same token")
  func again() throws {
    let model = try TinyModel()
    let bench = try EngineBench(model.path)
    let sampling = SamplingParameters(temperature: 1.5, topK: 0, topP: 1, repeatPenalty: 1.5, seed: 3)
    let prompt: [TokenID] = [3, 1, 4]
    var step: UInt64 = 1
    func token(_ entries: [StepEntry]) throws -> TokenID {
      bench.begin(step, .decode, entries)
      bench.drain()
      defer { step += 1 }
      guard case .token(let token, _)? = bench.results[StepID(rawValue: step)]?.first?.outcome else {
        throw EngineError(.sampling, "no token")
      }
      return token
    }
    var next = try token([
      entry(1, prompt, wanted: .token, opening: SequenceOpening(sampling: sampling, history: prompt))
    ])
    for position in 3..<20 {
      let again = entry(1, [next], at: position, wanted: .token)
      let first = try token([again])
      #expect(try token([again]) == first)
      next = first
    }
  }
}
