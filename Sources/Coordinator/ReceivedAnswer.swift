import Scheduling
import Tensors
import Wire

/// What a coordinator has sent of a job's answer so far.
struct ReceivedAnswer {
  private(set) var seed: UInt64 = 0
  private(set) var promptTokens: [TokenID] = []
  private(set) var tokens: [TokenID] = []
  private var text = ""

  /// The job was taken in.
  mutating func begin(_ message: Submitted) -> JobEvent {
    seed = message.seed
    promptTokens = message.promptTokens
    return .started(promptTokens: promptTokens, seed: seed)
  }

  /// More tokens have come.
  mutating func grow(_ message: GeneratedTokens) -> JobEvent {
    let more = String(decoding: message.text, as: UTF8.self)
    tokens += message.tokens.map(\.token)
    text += more
    return .tokens(
      JobTokens(
        tokens: message.tokens.map(\.token), logProbabilities: message.tokens.map(\.logProbability), text: more))
  }

  /// The job has ended.
  func summary(_ end: JobFinished) -> JobSummary {
    let queue = end.timing.queued.seconds
    let prefill = end.timing.prefill.seconds
    let timing = JobSummary.Timing(
      queue: queue, prefill: prefill, decode: end.timing.decode.seconds,
      firstToken: tokens.isEmpty ? nil : queue + prefill)
    return JobSummary(
      promptTokens: promptTokens, tokens: tokens, text: text, stopReason: EndReason(end.stopReason), seed: seed,
      timing: timing, wire: WireUsage(nodes: end.traffic), nodeCount: max(0, end.traffic.count - 1),
      stageCount: end.stageCount)
  }
}
