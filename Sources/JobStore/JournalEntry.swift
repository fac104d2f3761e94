public import Scheduling
public import Tensors

/// One thing that the journal remembers.
public enum JournalEntry: Sendable, Hashable {
  /// A job was taken in. Its id is at least the next one.
  case accepted(AcceptedJob)
  /// Tokens of an answer, with their log-probabilities; `first` is the index of the first of them in the answer.
  case tokens(JobID, first: Int, tokens: [TokenID], logProbabilities: [Float])
  /// The last entry of a job.
  case ended(JobID, EndReason, JobTimes)
  /// The last entry of a job that cannot go on.
  case failed(JobID, reason: String)
  /// No id below this one may be given any more, though the jobs that had them may be forgotten.
  case nextID(JobID)
}

/// What the journal's numbers may be; checked before anything is written, and before anything read is used.
public enum JournalLimits {
  /// Bytes of the entries that are made durable together.
  public static let payloadBytes = 64 << 20
  /// Tokens of a prompt, and of an answer.
  public static let tokens = 16 << 20
  /// Bytes of the reason why a job failed.
  public static let reasonBytes = 64 << 10
}

extension JournalEntry {
  /// Bytes it takes in a record, its head included.
  var encodedByteCount: Int {
    EntryFormat.headBytes
      + {
        switch self {
        case .accepted(let job): EntryFormat.acceptedBytes + 4 * job.promptTokens.count
        case .tokens(_, _, let tokens, let logProbabilities):
          EntryFormat.tokensBytes + 4 * (tokens.count + logProbabilities.count)
        case .ended: EntryFormat.endedBytes
        case .failed(_, let reason): EntryFormat.failedBytes + reason.utf8.count
        case .nextID: EntryFormat.nextIDBytes
        }
      }()
  }

  /// Refuses what a reader would refuse for itself alone.
  func validate() throws(JournalError) {
    switch self {
    case .accepted(let job):
      guard job.id.rawValue < .max else { throw JournalError(.overLimit, "the job id \(job.id) has no successor") }
      try Self.check("the tokens of a prompt", job.promptTokens.count, JournalLimits.tokens)
      try Self.check("maxTokens", job.maxTokens, JournalLimits.tokens)
    case .tokens(_, let first, let tokens, let logProbabilities):
      guard tokens.count == logProbabilities.count else {
        throw JournalError(
          .contradiction, "there are \(tokens.count) tokens and \(logProbabilities.count) log-probabilities")
      }
      try Self.check("the index of a token", first, JournalLimits.tokens)
      try Self.check("the tokens of an answer", first + tokens.count, JournalLimits.tokens)
    case .ended(_, _, let times):
      try Self.check("stageCount", times.stageCount, Int(UInt32.max))
      try Self.check("nodeCount", times.nodeCount, Int(UInt32.max))
    case .failed(_, let reason):
      try Self.check("the bytes of a reason", reason.utf8.count, JournalLimits.reasonBytes)
    case .nextID: break
    }
  }

  private static func check(_ name: String, _ value: Int, _ limit: Int) throws(JournalError) {
    guard (0...limit).contains(value) else {
      throw JournalError(.overLimit, "\(name): \(value), from 0 to \(limit) is allowed")
    }
  }
}
