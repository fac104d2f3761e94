import Scheduling
import Tensors
import Testing

@testable import JobStore

@Suite("Journal")
struct JournalTests {
  private let id = JobID(rawValue: 1)

  private func opened(_ disk: SimulatedDisk) throws -> Journal { try Journal.open(disk).journal }
  private func accepted(_ id: UInt64 = 1) -> JournalEntry {
    var random = SplitMix(id)
    return .accepted(Samples.job(id, &random))
  }
  private func tokens(_ first: Int, _ tokens: [TokenID]) -> JournalEntry {
    .tokens(id, first: first, tokens: tokens, logProbabilities: tokens.map { _ in -1 })
  }

  @Test("a new journal is its header; what is appended is there when it is opened again")
  func begin() throws {
    let disk = SimulatedDisk()
    let (journal, contents) = try Journal.open(disk)
    #expect(disk.bytes == RecordFormat.fileHeader && contents.jobs.isEmpty && contents.nextID == id)
    try journal.append([accepted(), tokens(0, [3, 4])])
    try journal.append([tokens(2, [5]), .ended(id, .stop, JobTimes(queue: 1))])
    #expect(journal.byteCount == disk.bytes?.count)
    let again = try Journal.open(disk).contents
    #expect(again.jobs.map(\.tokens) == [[3, 4, 5]])
    #expect(again.jobs.first?.state == .ended(.stop, JobTimes(queue: 1)))
    #expect(again.nextID == JobID(rawValue: 2))
  }

  @Test("a batch costs one write and one sync, nothing costs nothing")
  func cost() throws {
    let disk = SimulatedDisk()
    let journal = try opened(disk)
    try journal.append([accepted(), tokens(0, [3]), tokens(1, [4])])
    try journal.append([])
    #expect(disk.count(.append) == 1 && disk.count(.sync) == 1)
    #expect(journal.append(groups: [[tokens(2, [5])], [accepted(4)]]) == [nil, nil])
    #expect(disk.count(.append) == 2 && disk.count(.sync) == 2)
  }

  @Test("what its reader would refuse is not written, and only the group that holds it fails")
  func contradictions() throws {
    let disk = SimulatedDisk()
    let journal = try opened(disk)
    try journal.append([accepted(), tokens(0, [3, 4]), accepted(2), .ended(JobID(rawValue: 2), .stop, JobTimes())])
    let bytes = disk.bytes
    let wrong: [JournalEntry] = [
      accepted(), accepted(2), tokens(1, [4]), tokens(3, [5]), .nextID(JobID(rawValue: 2)),
      .ended(JobID(rawValue: 2), .stop, JobTimes()), .failed(JobID(rawValue: 3), reason: ""),
    ]
    for entry in wrong {
      let error = caught { try journal.append([tokens(2, [5]), entry, .failed(JobID(rawValue: 9), reason: "")]) }
      #expect(error?.code == .contradiction && error?.path == disk.path, "\(entry)")
    }
    #expect(caught { try journal.append([accepted(.max)]) }?.code == .overLimit)
    #expect(disk.bytes == bytes)
    let errors = journal.append(groups: [[tokens(2, [5])], [tokens(2, [6])], [tokens(3, [7]), accepted(3)]])
    #expect(errors.map { $0?.code } == [nil, .contradiction, nil])
    #expect(try JournalReader.read(disk)?.jobs.first?.tokens == [3, 4, 5, 7])
  }

  @Test("more than a record may hold is refused; groups that fit only one by one are written one by one")
  func large() throws {
    let disk = SimulatedDisk()
    let journal = try opened(disk)
    try journal.append([accepted()])
    let half = [TokenID](repeating: 7, count: 5 << 20)
    let errors = journal.append(groups: [[tokens(0, half)], [tokens(half.count, half)]])
    #expect(errors == [nil, nil] && disk.count(.append) == 3)
    var random = SplitMix(1)
    let long = (2...4).map { JournalEntry.accepted(Samples.job($0, prompt: 6 << 20, &random)) }
    let tooMuch = caught { try journal.append(long) }
    #expect(tooMuch?.code == .overLimit)
    #expect(try JournalReader.read(disk)?.jobs.first?.tokens.count == 2 * half.count)
  }

  @Test("a full disk is said; what was written of the record is cut off, and the journal goes on when there is room")
  func fullDisk() throws {
    for operation in [SimulatedDisk.Operation.append, .sync] {
      let disk = SimulatedDisk()
      let journal = try opened(disk)
      try journal.append([accepted()])
      let bytes = disk.bytes
      disk.fail(operation, .noSpace)
      #expect(caught { try journal.append([tokens(0, [3])]) }?.code == .noSpace)
      #expect(disk.bytes == bytes)
      // What depends on the lost tokens is refused, what repeats them is not.
      #expect(caught { try journal.append([tokens(1, [4])]) }?.code == .contradiction)
      try journal.append([tokens(0, [3, 4])])
      #expect(try Journal.open(disk).contents.jobs.map(\.tokens) == [[3, 4]])
    }
  }

  @Test("when the bytes of a failed write cannot be taken back, the journal is closed for good")
  func closed() throws {
    for operation in [SimulatedDisk.Operation.truncate, .sync] {
      let disk = SimulatedDisk()
      let journal = try opened(disk)
      try journal.append([accepted()])
      disk.fail(.append, .noSpace)
      disk.fail(operation, .io)
      for _ in 0..<2 { #expect(caught { try journal.append([tokens(0, [3])]) }?.code == .closed) }
      #expect(disk.count(.append) == 2)
      #expect(journal.append(groups: [[], [accepted(2)]]).map { $0?.code } == [.closed, .closed])
      let (again, contents) = try Journal.open(disk)
      #expect(contents.jobs.map(\.tokens) == [[]])
      try again.append([tokens(0, [3])])
    }
  }

  @Test("a torn end is cut off before anything is written behind it")
  func torn() throws {
    let (bytes, ends, books) = try Samples.journal()
    let disk = SimulatedDisk(Array(bytes.dropLast(3)))
    let (journal, contents) = try Journal.open(disk)
    #expect(contents.tornByteCount > 0 && disk.bytes?.count == ends[ends.count - 2])
    try journal.append([.nextID(JobID(rawValue: 77))])
    let again = try #require(try JournalReader.read(disk))
    #expect(again.jobs == books[books.count - 2].sorted && again.nextID.rawValue == 77)
  }

  @Test("what is refused is not touched")
  func refused() throws {
    let (bytes, ends, _) = try Samples.journal()
    var damaged = bytes
    damaged[ends[1] + 40] ^= 1
    for wrong in [[], Array(bytes[..<9]), Array("something else altogether".utf8), damaged] {
      let disk = SimulatedDisk(wrong)
      #expect(caught { _ = try Journal.open(disk) }?.path == disk.path)
      #expect(disk.bytes == wrong && disk.operations == 0)
    }
  }

  @Test("as a writer it appends at once and then says so")
  func writer() throws {
    let disk = SimulatedDisk()
    let writer: any JournalWriter = try opened(disk)
    let answers = Answers()
    writer.write([accepted()]) { answers.add($0) }
    writer.write([accepted()]) { answers.add($0) }
    #expect(answers.codes == [nil, .contradiction])
  }
}
