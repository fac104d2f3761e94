import Scheduling
import Tensors
import Testing

@testable import Sampling

@Suite("Sampler's penalties and masks")
struct SamplerPenaltyTests {
  /// A mask that notes the logits it sees and excludes some tokens.
  private final class Recorder: LogitMask {
    var seen: [Float] = []
    var positions: [Int] = []
    let excluded: [Int]
    init(excluding excluded: [Int] = []) { self.excluded = excluded }

    func exclude(from logits: UnsafeMutableBufferPointer<Float>, position: Int) {
      seen = Array(logits)
      positions.append(position)
      for index in excluded { logits[index] = -.infinity }
    }
  }

  private let sampler = Sampler()

  private func sample(
    _ logits: [Float], _ parameters: SamplingParameters, history: [TokenID], mask: Recorder
  ) throws -> SampledToken {
    try logits.withUnsafeBufferPointer {
      try sampler.sample(logits: $0, parameters: parameters, history: history, position: 5, mask: mask)
    }
  }

  private func penalized(_ logits: [Float], _ history: [TokenID], _ parameters: SamplingParameters) throws -> [Float] {
    let recorder = Recorder()
    _ = try sample(logits, parameters, history: history, mask: recorder)
    #expect(recorder.positions == [5])
    return recorder.seen
  }

  private func penalties(
    _ repeated: Float = 1, _ frequency: Float = 0, _ presence: Float = 0, window: Int = 64
  ) -> SamplingParameters {
    SamplingParameters(
      temperature: 0, repeatPenalty: repeated, frequencyPenalty: frequency, presencePenalty: presence,
      penaltyWindow: window)
  }

  @Test("the repeat penalty divides positive and multiplies other logits, once however often a token occurs")
  func repeatPenalty() throws {
    #expect(try penalized([3, -3, 0, 3, -3], [0, 1, 2, 0, 0], penalties(2)) == [1.5, -6, 0, 3, -3])
    #expect(try penalized([3, -3], [0, 1], penalties(0.5)) == [6, -1.5])
  }

  @Test("the frequency penalty counts occurrences, the presence penalty does not")
  func frequencyAndPresence() throws {
    #expect(try penalized([1, 1, 1], [0, 2, 0, 0], penalties(1, 0.25)) == [0.25, 1, 0.75])
    #expect(try penalized([1, 1, 1], [0, 2, 0, 0], penalties(1, 0, 0.5)) == [0.5, 1, 0.5])
    #expect(try penalized([1, 1, 1], [0, 2], penalties(1, 0, -0.5)) == [1.5, 1, 1.5])
    #expect(try penalized([4, -1, 1], [0, 0, 1], penalties(2, 0.25, 0.5)) == [1, -2.75, 1])
  }

  @Test("only the window counts")
  func window() throws {
    let history: [TokenID] = [0, 0, 1, 2]
    #expect(try penalized([1, 1, 1], history, penalties(1, 0.5, window: 2)) == [1, 0.5, 0.5])
    #expect(try penalized([1, 1, 1], history, penalties(1, 0.5, window: 3)) == [0.5, 0.5, 0.5])
    #expect(try penalized([1, 1, 1], history, penalties(1, 0.5, window: 4096)) == [0, 0.5, 0.5])
    #expect(try penalized([1, 1, 1], history, penalties(1, 0.5, window: 0)) == [1, 1, 1])
    #expect(try penalized([1, 1, 1], [], penalties(1, 0.5)) == [1, 1, 1])
  }

  @Test("ids outside the vocabulary count for nothing, and no call leaves counts behind")
  func foreignTokens() throws {
    #expect(try penalized([1, 1], [2, 7, 1, TokenID(.max)], penalties(1, 0.5)) == [1, 0.5])
    #expect(try penalized([1, 1, 1], [0], penalties(1, 0.5)) == [0.5, 1, 1])
    #expect(try penalized([1, 1], [1], penalties(1, 0.5)) == [1, 0.5])
  }

  @Test("penalties never make a logit infinite")
  func overflow() throws {
    let largest = Float.greatestFiniteMagnitude
    #expect(try penalized([largest, -largest], [0, 1], penalties(0.01)) == [largest, -largest * 0.01])
    #expect(try penalized([largest, -largest], [0, 1], penalties(100)) == [largest / 100, -largest])
  }

  @Test("a penalised token gives way")
  func choice() throws {
    let logits: [Float] = [2, 1.9, 0]
    #expect(try sample(logits, penalties(1.1), history: [0], mask: Recorder()).token == 1)
    #expect(try sample(logits, penalties(1.1), history: [0, 1], mask: Recorder()).token == 0)
    #expect(try sample(logits, penalties(1.1), history: [2], mask: Recorder()).token == 0)
  }

  @Test("excluded tokens are never chosen, and the log-probability is still the model's")
  func mask() throws {
    let logits: [Float] = [0, 0, 0, 0]
    for topK in [0, 2, 4] {
      for topP in [Float(1), 0.9] {
        for seed in UInt64(0)..<50 {
          let parameters = SamplingParameters(temperature: 1, topK: topK, topP: topP, repeatPenalty: 1, seed: seed)
          let sampled = try sample(logits, parameters, history: [], mask: Recorder(excluding: [0, 3]))
          #expect([1, 2].contains(sampled.token))
          #expect(abs(sampled.logProbability - -1.3862944) < 1e-6)
        }
      }
    }
    #expect(try sample([9, 1], .greedy, history: [], mask: Recorder(excluding: [0])).token == 1)
  }

  @Test("a mask that excludes everything is an error")
  func nothingAllowed() throws {
    for parameters in [SamplingParameters.greedy, SamplingParameters()] {
      let error = #expect(throws: SamplingError.self) {
        try sample([1, 2], parameters, history: [], mask: Recorder(excluding: [0, 1]))
      }
      #expect(error?.code == .nothingAllowed)
    }
  }
}
