/// What the journal has to know of the past to write nothing that its reader would refuse.
struct OpenJobs {
  /// Tokens of the answer of each open job.
  private(set) var tokenCounts: [JobID: Int] = [:]
  private(set) var nextID: JobID

  init(_ contents: JournalContents) {
    nextID = contents.nextID
    for job in contents.jobs where job.state == .open { tokenCounts[job.id] = job.tokens.count }
  }

  /// Takes in an entry that is to be written.
  /// - Throws: `contradiction`; also when tokens are written again, since there is nothing to compare them with.
  mutating func apply(_ entry: JournalEntry) throws(JournalError) {
    switch entry {
    case .accepted(let job):
      try advance(to: job.id)
      nextID = JobID(rawValue: job.id.rawValue + 1)
      tokenCounts[job.id] = 0
    case .tokens(let id, let first, let tokens, _):
      let known = try tokenCount(id)
      guard first == known else {
        throw JournalError(
          .contradiction, "tokens of job \(id) from index \(first), the journal goes on at \(known); write from there")
      }
      tokenCounts[id] = first + tokens.count
    case .ended(let id, _, _), .failed(let id, _):
      _ = try tokenCount(id)
      tokenCounts[id] = nil
    case .nextID(let id): try advance(to: id)
    }
  }

  private func tokenCount(_ id: JobID) throws(JournalError) -> Int {
    guard let count = tokenCounts[id] else {
      throw JournalError(.contradiction, "an entry of job \(id), which is not open in the journal")
    }
    return count
  }

  private mutating func advance(to id: JobID) throws(JournalError) {
    guard id >= nextID else {
      throw JournalError(.contradiction, "the job id \(id) was given before; the next one is \(nextID)")
    }
    nextID = id
  }
}
