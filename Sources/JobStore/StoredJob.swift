public import Scheduling
public import Tensors

/// What was agreed when a job was taken in: all that its tokens depend on, and when it was.
public struct AcceptedJob: Sendable, Hashable {
  public let id: JobID
  /// Milliseconds since 1970, by the clock of whoever took the job in.
  public var created: Int64
  /// The model's id.
  public var model: Digest
  /// The rules of computing that the tokens follow (docs/numerics.md).
  public var numericsVersion: UInt32
  public var kvType: KVType
  public var combine: CombineMode
  public var promptTokens: [TokenID]
  /// How tokens are chosen, seed included; kept bit for bit.
  public var sampling: SamplingParameters
  /// Tokens of the answer at most, from 0 to `JournalLimits.tokens`.
  public var maxTokens: Int
  /// Whether to go on after a token that ends the answer.
  public var ignoreEOS: Bool

  public init(
    id: JobID, created: Int64, model: Digest, numericsVersion: UInt32, kvType: KVType, combine: CombineMode,
    promptTokens: [TokenID], sampling: SamplingParameters, maxTokens: Int, ignoreEOS: Bool
  ) {
    self.id = id
    self.created = created
    self.model = model
    self.numericsVersion = numericsVersion
    self.kvType = kvType
    self.combine = combine
    self.promptTokens = promptTokens
    self.sampling = sampling
    self.maxTokens = maxTokens
    self.ignoreEOS = ignoreEOS
  }
}

/// How long a job took, in seconds, and on how much.
public struct JobTimes: Sendable, Hashable {
  /// From being taken in to the first step.
  public var queue: Double
  /// From the first step to the first token.
  public var prefill: Double
  /// From the first token to the last.
  public var decode: Double
  /// From being taken in to the first token; nil when there was none.
  public var firstToken: Double?
  /// Stages of the placement that the job ended on, at most `UInt32.max`.
  public var stageCount: Int
  /// Nodes of the placement that the job ended on, at most `UInt32.max`.
  public var nodeCount: Int

  public init(
    queue: Double = 0, prefill: Double = 0, decode: Double = 0, firstToken: Double? = nil, stageCount: Int = 0,
    nodeCount: Int = 0
  ) {
    self.queue = queue
    self.prefill = prefill
    self.decode = decode
    self.firstToken = firstToken
    self.stageCount = stageCount
    self.nodeCount = nodeCount
  }
}

/// A job as the journal knows it.
public struct StoredJob: Sendable, Hashable {
  /// What is known of a job's end.
  public enum State: Sendable, Hashable {
    /// There is none yet: the job waits or runs.
    case open
    /// The answer is whole, or whoever asked for it no longer wants it.
    case ended(EndReason, JobTimes)
    /// The job cannot go on.
    case failed(reason: String)
  }

  public let accepted: AcceptedJob
  /// The answer so far.
  public internal(set) var tokens: [TokenID]
  /// Of each token of the answer; the bits are kept, whatever number they stand for.
  public internal(set) var logProbabilities: [Float]
  public internal(set) var state: State

  public var id: JobID { accepted.id }

  /// - Parameter logProbabilities: one for each token.
  public init(
    accepted: AcceptedJob, tokens: [TokenID] = [], logProbabilities: [Float] = [], state: State = .open
  ) {
    precondition(tokens.count == logProbabilities.count, "a log-probability for each token")
    self.accepted = accepted
    self.tokens = tokens
    self.logProbabilities = logProbabilities
    self.state = state
  }
}
