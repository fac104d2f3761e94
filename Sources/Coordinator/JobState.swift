import JobStore
import Scheduling
import Tensors
import Tokenization
import Transport
import Wire

/// Someone who is told of a job.
enum JobListener: Hashable {
  /// Its sink in this process.
  case local
  /// A client, which knows the job by its own number; `from` tokens of the answer it has already.
  case client(LinkID, request: UInt64, from: Int = 0)

  /// Whether it is the client on that link.
  func isClient(_ link: LinkID) -> Bool {
    if case .client(link, _, _) = self { true } else { false }
  }

  /// Whether it does not have the token of that index. A coordinator that was started again generates anew what was not
  /// on disk, though a client may have it.
  func wants(_ index: Int) -> Bool {
    if case .client(_, _, let count) = self { index >= count } else { true }
  }
}

/// One job between its submission and its last event.
struct JobState {
  let id: JobID
  var listeners: [JobListener]
  let promptTokens: [TokenID]
  let seed: UInt64
  let submittedAt: ContinuousClock.Instant
  var detokenizer: StreamingDetokenizer
  var tokens: [TokenID] = []
  var logProbabilities: [Float] = []
  var text = ""
  var firstStepAt: ContinuousClock.Instant?
  var firstTokenAt: ContinuousClock.Instant?
  /// Set when the last token is there and only the counters are awaited.
  var end: (reason: EndReason, at: ContinuousClock.Instant)?
  /// What everyone had sent when the job came; nil until it is known.
  var baseline: CountersBook.Reading?
  /// What the journal knows of it; nil for a job that ends with its client.
  var stored: StoredProgress?

  /// A durable job, and how much of it is on disk.
  struct StoredProgress {
    let accepted: AcceptedJob
    /// Tokens on disk, or on their way there.
    var tokenCount = 0
    /// Whether its end is on disk, or on its way there.
    var isEndWritten = false
  }

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
