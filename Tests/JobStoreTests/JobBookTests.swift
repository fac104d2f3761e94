import Scheduling
import Tensors
import Testing

@testable import JobStore

@Suite("JobBook")
struct JobBookTests {
  private func book(_ entries: [JournalEntry], endedJobsMax: Int = .max) throws -> JobBook {
    var book = JobBook(endedJobsMax: endedJobsMax)
    for entry in entries { try book.apply(entry) }
    return book
  }

  @Test("tokens are put together; an overlap with the same bits changes nothing, NaN included")
  func overlap() throws {
    var random = SplitMix(2)
    let id = JobID(rawValue: 1)
    var book = try book([
      .accepted(Samples.job(1, &random)), .tokens(id, first: 0, tokens: [5, 6], logProbabilities: [.nan, -2]),
    ])
    try book.apply(.tokens(id, first: 0, tokens: [5, 6, 7], logProbabilities: [.nan, -2, -3]))
    try book.apply(.tokens(id, first: 1, tokens: [6], logProbabilities: [-2]))
    #expect(book.jobs[id]?.tokens == [5, 6, 7])
    #expect(book.jobs[id]?.logProbabilities.map(\.bitPattern) == [Float.nan, -2, -3].map(\.bitPattern))
  }

  @Test("what contradicts earlier entries is refused, and leaves the book as it was")
  func contradictions() throws {
    var random = SplitMix(3)
    let id = JobID(rawValue: 1)
    let other = JobID(rawValue: 2)
    let job = Samples.job(1, &random)
    let start = try book([
      .accepted(job), .tokens(id, first: 0, tokens: [5, 6], logProbabilities: [-1, -2]),
      .accepted(Samples.job(2, &random)),
      .ended(other, .stop, JobTimes()),
    ])
    let wrong: [JournalEntry] = [
      .accepted(job), .nextID(other), .ended(other, .stop, JobTimes()), .failed(JobID(rawValue: 7), reason: ""),
      .tokens(other, first: 0, tokens: [], logProbabilities: []),
      .tokens(JobID(rawValue: 3), first: 0, tokens: [], logProbabilities: []),
      .tokens(id, first: 3, tokens: [1], logProbabilities: [0]),
      .tokens(id, first: 1, tokens: [7], logProbabilities: [-2]),
      .tokens(id, first: 1, tokens: [6], logProbabilities: [-2.5]),
      .tokens(id, first: 1, tokens: [7, 8], logProbabilities: [-2, -1]),
    ]
    for entry in wrong {
      var book = start
      #expect(caught { try book.apply(entry) }?.code == .contradiction, "\(entry)")
      #expect(book.sorted == start.sorted && book.nextID == start.nextID)
    }
  }

  @Test("the jobs that ended first are forgotten, open ones never, and ids go on")
  func retention() throws {
    var random = SplitMix(4)
    var book = JobBook(endedJobsMax: 3)
    for id in 1...UInt64(400) { try book.apply(.accepted(Samples.job(id, &random))) }
    // The even ones end, the highest first.
    for id in stride(from: UInt64(400), to: 0, by: -2) {
      try book.apply(.ended(JobID(rawValue: id), .stop, JobTimes()))
    }
    #expect(book.endOrder.map(\.rawValue) == [6, 4, 2])
    #expect(book.jobs.count == 203)
    #expect(book.nextID.rawValue == 401)
    #expect(caught { try book.apply(.ended(JobID(rawValue: 8), .stop, JobTimes())) }?.code == .contradiction)
  }
}
