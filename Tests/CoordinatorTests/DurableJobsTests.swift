import JobStore
import Scheduling
import Tensors
import Testing

@testable import Coordinator

@Suite struct DurableJobsTests {
  private func job(_ id: UInt64) throws -> StoredJob {
    StoredJob(
      accepted: AcceptedJob(
        id: JobID(rawValue: id), created: 0, model: try zeroDigest(), numericsVersion: 1, kvType: .f16,
        combine: .exact, promptTokens: [1], sampling: SamplingParameters(), maxTokens: 1, ignoreEOS: false),
      state: .failed(reason: ""))
  }

  @Test("ids go on where they ended, and no ticket is given twice")
  func numbers() {
    var jobs = DurableJobs(nextJob: 7)
    let ids = (0..<2).map { _ in jobs.newJob().rawValue }
    #expect(ids == [7, 8])
    let tickets = (0..<3).map { _ in jobs.newTicket(.progress([:])) }
    #expect(Set(tickets).count == 3 && Set(jobs.writes.keys) == Set(tickets))
  }

  @Test("so many ended jobs are kept, the newest")
  func bounded() throws {
    var jobs = DurableJobs(nextJob: 1)
    for id in UInt64(1)...UInt64(DurableJobs.endedLimit + 5) { jobs.keep(try job(id)) }
    #expect(jobs.ended.count == DurableJobs.endedLimit && jobs.ended.keys.min()?.rawValue == 6)
    jobs.keep(try job(6))
    #expect(jobs.ended.count == DurableJobs.endedLimit)
  }
}
