import Scheduling
import Tensors

/// The jobs that come out of a sequence of entries: a value, without a disk.
struct JobBook: Sendable {
  /// Most ended jobs that are kept; the ones that ended first are forgotten.
  let endedJobsMax: Int
  private(set) var jobs: [JobID: StoredJob] = [:]
  /// The lowest id that was never given.
  private(set) var nextID = JobID(rawValue: 1)
  /// Jobs that ended or failed, in that order; those before `firstKept` are forgotten.
  private var ends: [JobID] = []
  private var firstKept = 0

  init(endedJobsMax: Int) {
    precondition(endedJobsMax >= 0, "negative number of jobs")
    self.endedJobsMax = endedJobsMax
  }

  /// The kept jobs that ended or failed, in that order.
  var endOrder: ArraySlice<JobID> { ends[firstKept...] }

  /// Takes in the next entry, which is valid for itself alone.
  /// - Throws: `contradiction`, when it does not fit those before it.
  mutating func apply(_ entry: JournalEntry) throws(JournalError) {
    switch entry {
    case .accepted(let job):
      guard job.id >= nextID else {
        throw JournalError(.contradiction, "job \(job.id) is taken in, though ids go on at \(nextID)")
      }
      jobs[job.id] = StoredJob(accepted: job)
      nextID = JobID(rawValue: job.id.rawValue + 1)
    case .tokens(let id, let first, let tokens, let logProbabilities):
      try add(id, first, tokens, logProbabilities)
    case .ended(let id, let reason, let times):
      try end(id, .ended(reason, times))
    case .failed(let id, let reason):
      try end(id, .failed(reason: reason))
    case .nextID(let id):
      guard id >= nextID else {
        throw JournalError(.contradiction, "ids are to go on at \(id), though they stand at \(nextID)")
      }
      nextID = id
    }
  }

  private func openJob(_ id: JobID) throws(JournalError) -> StoredJob {
    guard let job = jobs[id] else { throw JournalError(.contradiction, "an entry of job \(id), which is not known") }
    guard case .open = job.state else { throw JournalError(.contradiction, "an entry of job \(id) after its end") }
    return job
  }

  private mutating func add(
    _ id: JobID, _ first: Int, _ tokens: [TokenID], _ logProbabilities: [Float]
  ) throws(JournalError) {
    let known = try openJob(id).tokens.count
    guard first <= known else {
      throw JournalError(.contradiction, "tokens of job \(id) from index \(first), though it has only \(known)")
    }
    let overlap = min(known - first, tokens.count)
    guard isSame(id, first, tokens[..<overlap], logProbabilities[..<overlap]) else {
      throw JournalError(.contradiction, "tokens of job \(id) from index \(first) differ from those it has there")
    }
    jobs[id]?.tokens += tokens[overlap...]
    jobs[id]?.logProbabilities += logProbabilities[overlap...]
  }

  private func isSame(
    _ id: JobID, _ first: Int, _ tokens: ArraySlice<TokenID>, _ logProbabilities: ArraySlice<Float>
  ) -> Bool {
    guard let job = jobs[id] else { return false }
    return job.tokens[first...].starts(with: tokens)
      && job.logProbabilities[first...].starts(with: logProbabilities) { $0.bitPattern == $1.bitPattern }
  }

  private mutating func end(_ id: JobID, _ state: StoredJob.State) throws(JournalError) {
    _ = try openJob(id)
    jobs[id]?.state = state
    ends.append(id)
    while ends.count - firstKept > endedJobsMax {
      jobs[ends[firstKept]] = nil
      firstKept += 1
    }
    if 2 * firstKept > ends.count + 64 {
      ends.removeFirst(firstKept)
      firstKept = 0
    }
  }
}
