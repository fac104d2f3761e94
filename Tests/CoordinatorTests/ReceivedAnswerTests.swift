import Scheduling
import Tensors
import Testing
import Wire

@testable import Coordinator

@Suite struct ReceivedAnswerTests {
  @Test("what comes in parts is summed up at the end")
  func whole() {
    var answer = ReceivedAnswer()
    let start = answer.begin(Submitted(request: 1, job: 7, seed: 5, promptTokens: [1, 2]))
    guard case .started([1, 2], 5) = start else {
      Issue.record("\(start)")
      return
    }
    for (token, text) in [(TokenID(3), "a"), (4, "bc"), (5, "")] {
      let event = answer.grow(
        GeneratedTokens(
          job: 7, tokens: [GeneratedToken(token: token, logProbability: -1)], text: Array(text.utf8)))
      guard case .tokens(let tokens) = event else {
        Issue.record("\(event)")
        return
      }
      #expect(tokens.tokens == [token] && tokens.text == text && tokens.logProbabilities == [-1])
    }
    let timing = JobTiming(
      promptTokens: 2, completionTokens: 3, queued: .seconds(1), prefill: .seconds(2), decode: .seconds(4))
    let traffic = ["coordinator", "reef", "cove"].map { NodeTraffic(node: $0, counters: TrafficCounters()) }
    let summary = answer.summary(
      JobFinished(job: 7, stopReason: .contextFull, stageCount: 2, timing: timing, traffic: traffic))
    #expect(summary.tokens == [3, 4, 5] && summary.text == "abc" && summary.seed == 5)
    #expect(summary.promptTokens == [1, 2] && summary.stopReason == .length)
    #expect(summary.nodeCount == 2 && summary.stageCount == 2)
    #expect(summary.timing.firstToken == 3 && summary.timing.decode == 4)
  }

  @Test("an answer without tokens has no time of a first one")
  func empty() {
    let timing = JobTiming(promptTokens: 2, completionTokens: 0, queued: .zero, prefill: .zero, decode: .zero)
    let summary = ReceivedAnswer().summary(
      JobFinished(job: 7, stopReason: .cancelled, stageCount: 1, timing: timing, traffic: []))
    #expect(summary.timing.firstToken == nil && summary.nodeCount == 0 && summary.stopReason == .cancelled)
  }
}
