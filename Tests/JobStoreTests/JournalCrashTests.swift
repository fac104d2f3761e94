import Scheduling
import Tensors
import Testing

@testable import JobStore

@Suite("Journal under crashes")
struct JournalCrashTests {
  /// Appends groups until the power goes, and opens what is left, several times over.
  private func run(_ seed: UInt64) throws {
    var random = SplitMix(seed)
    var disk = SimulatedDisk()
    /// What was said to be durable.
    var durable = JobBook(endedJobsMax: 4)
    for _ in 0..<5 {
      disk.losePower(after: random.next(below: 40))
      var attempted = durable
      if let (journal, contents) = try? Journal.open(disk, endedJobsMax: 4) {
        #expect(contents.jobs == durable.sorted && contents.nextID == durable.nextID, "seed \(seed)")
        while true {
          let group = Samples.group(durable, &random)
          attempted = durable
          for entry in group { try attempted.apply(entry) }
          guard caught({ try journal.append(group) }) == nil else { break }
          durable = attempted
        }
      }
      disk = disk.crashed(&random)
      // The one that was under way may be there, as a whole.
      let left = try JournalReader.read(disk, endedJobsMax: 4)
      let jobs = left?.jobs ?? []
      let nextID = left?.nextID ?? JobID(rawValue: 1)
      let hasAttempt = jobs == attempted.sorted && nextID == attempted.nextID
      #expect(hasAttempt || (jobs == durable.sorted && nextID == durable.nextID), "seed \(seed)")
      if hasAttempt { durable = attempted }
    }
  }

  @Test("what append returned for is there after any crash; what was under way is there whole or not at all")
  func crashes() throws {
    for seed in UInt64(0)..<400 { try run(seed) }
  }

  @Test("faults of the disk in between lose nothing that was said to be durable")
  func faults() throws {
    for seed in UInt64(0)..<200 {
      var random = SplitMix(seed)
      let disk = SimulatedDisk()
      let journal = try Journal.open(disk).journal
      var durable = JobBook(endedJobsMax: .max)
      for _ in 0..<30 {
        if random.next(below: 3) == 0 { disk.fail(random.next(below: 2) == 0 ? .append : .sync, .noSpace) }
        if random.next(below: 40) == 0 { disk.fail(.truncate, .io) }
        var attempted = durable
        let group = Samples.group(durable, &random)
        for entry in group { try attempted.apply(entry) }
        let error = caught { try journal.append(group) }
        if error == nil { durable = attempted }
        if error?.code == .closed { break }
        #expect(try JournalReader.read(disk)?.jobs == durable.sorted, "seed \(seed)")
      }
      let contents = try Journal.open(disk.crashed(&random)).contents
      for job in durable.sorted where job.state != .open { #expect(contents.jobs.contains(job), "seed \(seed)") }
      #expect(contents.nextID >= durable.nextID)
      for job in durable.sorted {
        let left = contents.jobs.first { $0.id == job.id }
        #expect(left?.tokens.starts(with: job.tokens) == true, "seed \(seed)")
      }
    }
  }
}
