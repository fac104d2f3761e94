import Scheduling
import Tensors
import Testing

@testable import JobStore

@Suite("Compaction")
struct CompactionTests {
  /// A journal of many small records, of which most is of no use any more.
  private func wasteful(_ seed: UInt64) throws -> (disk: SimulatedDisk, book: JobBook) {
    var random = SplitMix(seed)
    let disk = SimulatedDisk()
    let journal = try Journal.open(disk).journal
    var book = JobBook(endedJobsMax: 3)
    for _ in 0..<80 {
      let group = Samples.group(book, &random)
      try journal.append(group)
      for entry in group { try book.apply(entry) }
    }
    return (disk, book)
  }

  @Test("open jobs stay as they are, the last ended ones too, the rest goes, and ids go on")
  func compacts() throws {
    for seed in UInt64(0)..<20 {
      let (disk, book) = try wasteful(seed)
      let before = disk.bytes?.count ?? 0
      let (journal, contents) = try Journal.open(disk, endedJobsMax: 3)
      #expect(contents.jobs == book.sorted && contents.nextID == book.nextID)
      #expect(disk.count(.installReplacement) == 2 && 2 * journal.byteCount <= before)
      #expect(journal.byteCount == disk.bytes?.count && disk.replacement == disk.bytes)
      #expect(Compaction.byteCount(contents) >= journal.byteCount)
      let again = try #require(try JournalReader.read(disk))
      #expect(again.jobs == book.sorted && again.nextID == book.nextID && again.endOrder == Array(book.endOrder))
      // It is not worth doing twice.
      _ = try Journal.open(disk, endedJobsMax: 3)
      #expect(disk.count(.installReplacement) == 2)
      try journal.append([.nextID(JobID(rawValue: book.nextID.rawValue + 5))])
      #expect(try JournalReader.read(disk)?.nextID.rawValue == book.nextID.rawValue + 5)
    }
  }

  @Test("a journal that is mostly of use is left alone")
  func leaves() throws {
    let (bytes, _, _) = try Samples.journal()
    let disk = SimulatedDisk(bytes)
    _ = try Journal.open(disk)
    #expect(disk.bytes == bytes && disk.operations == 0)
  }

  @Test("long answers and long prompts are cut into records, and come back")
  func long() throws {
    var random = SplitMix(1)
    let disk = SimulatedDisk()
    let journal = try Journal.open(disk).journal
    try journal.append([.accepted(Samples.job(1, prompt: 600_000, &random)), .accepted(Samples.job(2, &random))])
    var count = 0
    for size in [400_000, 1, 65_536, 3] {
      try journal.append([Samples.answer(1, first: count, size, &random)])
      count += size
    }
    // Enough that is forgotten to make it worth while.
    try journal.append([Samples.answer(2, first: 0, 2_000_000, &random), .ended(JobID(rawValue: 2), .stop, JobTimes())])
    let (again, contents) = try Journal.open(disk, endedJobsMax: 0)
    #expect(disk.count(.installReplacement) == 2 && contents.jobs.count == 1)
    #expect(Compaction.byteCount(contents) >= again.byteCount)
    #expect(try JournalReader.read(disk)?.jobs == contents.jobs)
  }

  @Test("when there is no room for a second journal, the first is used, cut where it is torn")
  func noRoom() throws {
    for operation in [SimulatedDisk.Operation.beginReplacement, .appendToReplacement, .syncReplacement] {
      let whole = try wasteful(3)
      let torn = SimulatedDisk((whole.disk.bytes ?? []) + [1, 2, 3])
      torn.fail(operation, .noSpace)
      let (journal, contents) = try Journal.open(torn, endedJobsMax: 3)
      #expect(contents.tornByteCount == 3 && torn.bytes == whole.disk.bytes && torn.replacement.isEmpty)
      try journal.append([.nextID(JobID(rawValue: 1000))])
      #expect(try JournalReader.read(torn, endedJobsMax: 3)?.jobs == whole.book.sorted)
    }
  }

  @Test("when it is open which file is the journal, nothing is appended")
  func unclear() throws {
    let disk = try wasteful(4).disk
    disk.fail(.installReplacement, .io)
    #expect(caught { _ = try Journal.open(disk, endedJobsMax: 3) }?.code == .io)
  }

  @Test("power lost in any operation of a compaction leaves the old journal or the new one")
  func powerLoss() throws {
    for seed in UInt64(0)..<12 {
      let (disk, book) = try wasteful(seed)
      let bytes = disk.bytes ?? []
      var random = SplitMix(seed)
      var survived = 0
      for operations in 0..<20 {
        let torn = SimulatedDisk(bytes + (seed % 2 == 0 ? [9] : []))
        torn.losePower(after: operations)
        let isOpen = caught { _ = try Journal.open(torn, endedJobsMax: 3) } == nil
        for _ in 0..<4 {
          let after = torn.crashed(&random)
          let (_, contents) = try Journal.open(after, endedJobsMax: 3)
          #expect(contents.jobs == book.sorted && contents.nextID == book.nextID)
          #expect(contents.endOrder == Array(book.endOrder))
        }
        if isOpen { survived += 1 }
      }
      #expect(survived > 0 && survived < 20)
    }
  }
}
