import JobStore
import Tensors
import Transport

/// What the coordinator keeps of durable jobs besides those that are open: what is being written, and those that ended.
struct DurableJobs {
  /// What a ticket of the journal is about.
  enum Write {
    /// A job was taken in, and its client waits for the answer.
    case accepted(JobID, JobRequest, AcceptedJob, client: LinkID, request: UInt64)
    /// Tokens, or the end of jobs; with how many tokens of each job were on disk before.
    case progress([JobID: Int])
    /// The end of a job that a client has cancelled and waits to hear of.
    case cancelled(JobID, client: LinkID, request: UInt64)
  }

  /// The next job's number.
  private var next: UInt64
  private var ticket: UInt64 = 0
  var writes: [UInt64: Write] = [:]
  /// Jobs that have ended, for whoever asks.
  private(set) var ended: [JobID: StoredJob] = [:]
  /// When tokens are written down next; nil while there are none to write.
  var nextCheckpoint: ContinuousClock.Instant?

  /// Ended jobs that are kept.
  static let endedLimit = 1000

  init(nextJob: UInt64) { next = nextJob }

  mutating func newJob() -> JobID {
    defer { next &+= 1 }
    return JobID(rawValue: next)
  }

  mutating func newTicket(_ write: Write) -> UInt64 {
    ticket += 1
    writes[ticket] = write
    return ticket
  }

  /// Keeps an ended job; the oldest goes when there are too many.
  mutating func keep(_ job: StoredJob) {
    ended[job.id] = job
    if ended.count > Self.endedLimit, let oldest = ended.keys.min() { ended[oldest] = nil }
  }
}
