import Scheduling
import Tensors
import Testing

@testable import JobStore

@Suite("JournalEntry")
struct JournalEntryTests {
  @Test("numbers at their limits pass, beyond them they are refused")
  func limits() {
    var random = SplitMix(8)
    let id = JobID(rawValue: 1)
    func code(_ entry: JournalEntry) -> JournalError.Code? { caught { try entry.validate() }?.code }
    func accepted(_ id: UInt64 = 1, maxTokens: Int = 0) -> JournalEntry {
      var job = Samples.job(id, &random)
      job.maxTokens = maxTokens
      return .accepted(job)
    }
    func tokens(_ first: Int, _ count: Int, values: Int? = nil) -> JournalEntry {
      .tokens(
        id, first: first, tokens: [TokenID](repeating: 0, count: count),
        logProbabilities: [Float](repeating: 0, count: values ?? count))
    }
    #expect(code(accepted(.max - 1, maxTokens: JournalLimits.tokens)) == nil)
    #expect(code(accepted(.max)) == .overLimit)
    #expect(code(accepted(maxTokens: JournalLimits.tokens + 1)) == .overLimit)
    #expect(code(accepted(maxTokens: -1)) == .overLimit)
    #expect(code(tokens(JournalLimits.tokens - 2, 2)) == nil)
    #expect(code(tokens(JournalLimits.tokens - 1, 2)) == .overLimit)
    #expect(code(tokens(.max, 2)) == .overLimit)
    #expect(code(tokens(-1, 2)) == .overLimit)
    #expect(code(tokens(0, 2, values: 1)) == .contradiction)
    #expect(code(.ended(id, .stop, JobTimes(stageCount: -1))) == .overLimit)
    #expect(code(.ended(id, .stop, JobTimes(nodeCount: 1 << 32))) == .overLimit)
    #expect(code(.failed(id, reason: String(repeating: "ä", count: 32 << 10))) == nil)
    #expect(code(.failed(id, reason: String(repeating: "ä", count: (32 << 10) + 1))) == .overLimit)
  }
}
