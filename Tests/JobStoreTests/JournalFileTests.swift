import Foundation
import Scheduling
import Tensors
import Testing

@testable import JobStore

@Suite("JournalFile")
struct JournalFileTests {
  private func bytes(_ root: TemporaryFolder) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: root.path + "/journal")))
  }

  @Test("a journal in a real folder grows, is cut where it is torn, and comes back")
  func grows() throws {
    let root = try TemporaryFolder()
    var random = SplitMix(1)
    let job = Samples.job(1, &random)
    do {
      let journal = try Journal.open(StateFolder(root.path).journalFile()).journal
      try journal.append([.accepted(job)])
      try journal.append([Samples.answer(1, first: 0, 3, &random)])
      #expect(try bytes(root).count == journal.byteCount)
    }
    let whole = try bytes(root)
    let file = try #require(FileHandle(forWritingAtPath: root.path + "/journal"))
    try file.seekToEnd()
    try file.write(contentsOf: Data([1, 2, 3]))
    try file.close()
    let (journal, contents) = try Journal.open(StateFolder(root.path).journalFile())
    #expect(contents.tornByteCount == 3 && contents.jobs.first?.accepted == job)
    #expect(try bytes(root) == whole)
    try journal.append([.ended(job.id, .stop, JobTimes())])
    #expect(try JournalReader.read(bytes(root)).jobs.first?.tokens.count == 3)
  }

  @Test("a compacted file takes the place of the old one, and what is appended then goes there")
  func compacts() throws {
    let root = try TemporaryFolder()
    var random = SplitMix(2)
    do {
      let journal = try Journal.open(StateFolder(root.path).journalFile()).journal
      try journal.append([.accepted(Samples.job(1, &random)), Samples.answer(1, first: 0, 500, &random)])
      try journal.append([.ended(JobID(rawValue: 1), .stop, JobTimes()), .accepted(Samples.job(2, &random))])
    }
    // Left behind by an attempt that crashed.
    try Data(repeating: 7, count: 9999).write(to: URL(fileURLWithPath: root.path + "/.tmp-journal"))
    let (journal, contents) = try Journal.open(StateFolder(root.path).journalFile(), endedJobsMax: 0)
    #expect(contents.jobs.map(\.id.rawValue) == [2])
    try journal.append([Samples.answer(2, first: 0, 4, &random)])
    #expect(try bytes(root).count == journal.byteCount && journal.byteCount < 600)
    #expect(try JournalReader.read(bytes(root)).jobs.map(\.tokens.count) == [4])
    #expect(try FileManager.default.contentsOfDirectory(atPath: root.path).sorted() == ["journal", "lock"])
  }

  @Test("a file that is not a journal, a folder or a link is refused and stays")
  func refused() throws {
    for kind in 0..<4 {
      let root = try TemporaryFolder()
      let path = root.path + "/journal"
      let other = Data("my diary, not to be lost".utf8)
      switch kind {
      case 0: try other.write(to: URL(fileURLWithPath: path))
      case 1: try Data().write(to: URL(fileURLWithPath: path))
      case 2: try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      default:
        try other.write(to: URL(fileURLWithPath: root.path + "/diary"))
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: root.path + "/diary")
      }
      let file = try StateFolder(root.path).journalFile()
      let error = caught { _ = try Journal.open(file) }
      #expect(error?.path == path, "\(kind)")
      if kind == 0 { #expect(try bytes(root) == Array(other)) }
    }
  }

  @Test("without a journal, or a replacement, its operations say so")
  func outOfTurn() throws {
    let root = try TemporaryFolder()
    let file = try StateFolder(root.path).journalFile()
    #expect(try file.byteCount() == nil)
    #expect(caught { try file.append([1]) }?.code == .io)
    #expect(caught { try file.installReplacement() }?.code == .io)
    #expect(try FileManager.default.contentsOfDirectory(atPath: root.path) == ["lock"])
  }

  /// Puts a small file system in memory there, where that is allowed.
  private static func mountSmall(_ path: String) -> Bool {
    #if canImport(Glibc) || canImport(Musl)
      mount("tmpfs", path, "tmpfs", 0, "size=64k") == 0
    #else
      false
    #endif
  }

  private static func unmount(_ path: String) {
    #if canImport(Glibc) || canImport(Musl)
      umount2(path, Int32(MNT_DETACH))
    #endif
  }

  @Test("a disk that is really full is said, and the journal goes on when there is room; where a tmpfs can be mounted")
  func reallyFull() throws {
    let root = try TemporaryFolder()
    guard Self.mountSmall(root.path) else { return }
    defer { Self.unmount(root.path) }
    var random = SplitMix(3)
    let filler = root.path + "/filler"
    do {
      let journal = try Journal.open(StateFolder(root.path).journalFile()).journal
      try journal.append([.accepted(Samples.job(1, &random))])
      try Data(repeating: 1, count: 40 << 10).write(to: URL(fileURLWithPath: filler))
      let long = Samples.answer(1, first: 0, 4000, &random)
      let before = try bytes(root)
      let error = caught { try journal.append([long]) }
      #expect(error?.code == .noSpace && error?.path == root.path + "/journal")
      #expect(try bytes(root) == before)
      try FileManager.default.removeItem(atPath: filler)
      try journal.append([long])
    }
    #expect(try JournalReader.read(bytes(root)).jobs.map(\.tokens.count) == [4000])
  }
}
