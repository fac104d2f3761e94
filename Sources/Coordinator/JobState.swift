import Scheduling
import Tensors
import Tokenization
import Transport
import Wire

/// One job between its submission and its last event.
struct JobState {
  /// Who is told of it.
  enum Owner: Hashable {
    case local
    case client(LinkID)
  }

  let id: JobID
  let owner: Owner
  let promptTokens: [TokenID]
  let seed: UInt64
  let submittedAt: ContinuousClock.Instant
  var detokenizer: StreamingDetokenizer
  var tokens: [TokenID] = []
  var text = ""
  var firstStepAt: ContinuousClock.Instant?
  var firstTokenAt: ContinuousClock.Instant?
  /// Set when the last token is there and only the counters are awaited.
  var end: (reason: EndReason, at: ContinuousClock.Instant)?
  /// What everyone had sent when the job came; nil until it is known.
  var baseline: CountersBook.Reading?

  var timing: JobSummary.Timing {
    guard let end else { return JobSummary.Timing() }
    let start = firstStepAt ?? end.at
    let first = firstTokenAt ?? end.at
    return JobSummary.Timing(
      queue: (start - submittedAt).seconds, prefill: (first - start).seconds, decode: (end.at - first).seconds,
      firstToken: firstTokenAt.map { ($0 - submittedAt).seconds })
  }
}

extension Duration {
  /// As a number of seconds.
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
