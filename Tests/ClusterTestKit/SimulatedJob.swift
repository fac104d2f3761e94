public import JobStore
public import Coordinator
import Synchronization
public import Tensors

/// A job of a simulated cluster, and what has become of it so far.
public final class SimulatedJob: Sendable {
  private let state = Mutex<[JobEvent]>([])
  private let log: EventLog
  /// Set right after the job was handed over.
  private let number = Mutex<JobID?>(nil)

  /// Name of the coordinator that has it.
  public let coordinator: String

  init(coordinator: String, log: EventLog) {
    self.coordinator = coordinator
    self.log = log
  }

  var sink: JobSink {
    { [self] event in
      state.withLock { $0.append(event) }
      log.append(.job(id, event))
    }
  }

  func handedOver(as id: JobID) { number.withLock { $0 = id } }

  /// Its number with its coordinator.
  public var id: JobID { number.withLock { $0 } ?? JobID(rawValue: 0) }
  /// What its sink was told so far.
  public var events: [JobEvent] { state.withLock { $0 } }

  /// The generated tokens so far.
  public var tokens: [TokenID] { parts.flatMap(\.tokens) }

  /// The bits of the tokens' log-probabilities so far.
  public var probabilityBits: [UInt32] { parts.flatMap { $0.logProbabilities.map(\.bitPattern) } }

  /// The bits of the logits so far.
  public var logitBits: [UInt32] {
    events.flatMap { event in
      if case .logits(_, _, let values) = event { values.map(\.bitPattern) } else { [UInt32]() }
    }
  }

  /// Tokens, log-probabilities and logits, to be compared bit for bit.
  public var answer: Answer { Answer(tokens: tokens, probabilityBits: probabilityBits, logitBits: logitBits) }

  /// An answer as it is compared: bit for bit.
  public struct Answer: Sendable, Hashable {
    public let tokens: [TokenID]
    public let probabilityBits: [UInt32]
    public let logitBits: [UInt32]
  }

  /// How it went; nil until it has finished.
  public var summary: JobSummary? {
    if case .finished(let summary)? = events.last { summary } else { nil }
  }

  /// Why it failed, if it did.
  public var failure: CoordinatorError? {
    if case .failed(let error)? = events.last { error } else { nil }
  }

  /// Whether it has finished or failed.
  public var hasEnded: Bool { summary != nil || failure != nil }

  private var parts: [JobTokens] {
    events.compactMap { event in
      if case .tokens(let tokens) = event { tokens } else { nil }
    }
  }
}
