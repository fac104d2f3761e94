public import JobStore
public import Tensors

/// What happens to a job; its sink gets these in order. `finished` and `failed` are the last.
public enum JobEvent: Sendable, Hashable {
  /// The job was accepted.
  case started(promptTokens: [TokenID], seed: UInt64)
  /// The answer grew.
  case tokens(JobTokens)
  /// Row-major `[rows, vocabulary]` logits of the positions `first ..< first + rows`; ascending from event to event.
  case logits(first: Int, rows: Int, values: [Float])
  case finished(JobSummary)
  case failed(CoordinatorError)
}

/// A few tokens of an answer.
public struct JobTokens: Sendable, Hashable {
  public let tokens: [TokenID]
  /// Natural logarithm of each token's probability.
  public let logProbabilities: [Float]
  /// Text that is complete with these tokens; may be empty, never half a character.
  public let text: String

  public init(tokens: [TokenID], logProbabilities: [Float], text: String) {
    self.tokens = tokens
    self.logProbabilities = logProbabilities
    self.text = text
  }
}

/// Receives the events of one job, on the thread of whoever drives the job; must not block.
public typealias JobSink = @Sendable (JobEvent) -> Void

/// Takes jobs in, from any thread: the coordinator of this process, or a client of a remote one.
public protocol JobSubmitting: Sendable {
  /// Hands a job over; everything about it, also a refusal, comes to the sink.
  @discardableResult
  func submit(_ request: JobRequest, sink: @escaping JobSink) -> JobID
  /// Ends a job; its sink still gets `finished`, with the reason `cancelled`. Nothing happens when it has ended.
  func cancel(_ job: JobID)
  /// Ends everything; jobs under way fail.
  func stop()
}
