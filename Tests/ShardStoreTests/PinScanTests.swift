import Foundation
import Tensors
import Testing

@testable import ShardStore

@Suite struct PinScanTests {
  private let folder: TemporaryFolder
  private let digests = (0..<4).map { PieceHasher.digest(of: [$0]) }

  init() throws { folder = try TemporaryFolder() }

  /// Writes a file of pins and holds its lock.
  private func hold(_ name: String, _ bytes: [UInt8]) throws -> Descriptor {
    var held: Descriptor?
    try bytes.withUnsafeBytes { held = try Files.publish($0, as: name, in: folder.path, isDurable: false) }
    return try required(held)
  }

  @Test("what a living process lists counts, with its id; the file of one that is gone is removed")
  func livingAndGone() throws {
    let first = try hold("7-a", PinList([digests[0], digests[1]]).encoded())
    let second = try hold("3-b", PinList([digests[1]]).encoded())
    try write(PinList([digests[2]]).encoded(), to: folder.file("9-c"))
    let scan = PinScan(folder: folder.path)
    #expect(scan.users == [digests[0]: [7], digests[1]: [3, 7]])
    #expect(scan.contains(digests[1]) && !scan.contains(digests[2]))
    #expect(Files.names(in: folder.path) == ["3-b", "7-a"])
    #expect(PinScan(folder: folder.path, skipping: "7-a").users == [digests[1]: [3]])
    _ = (first.number, second.number)
  }

  @Test("a process that ends between two looks no longer counts")
  func ended() throws {
    var scan = try {
      let held = try hold("7-a", PinList([digests[0]]).encoded())
      let scan = PinScan(folder: folder.path)
      #expect(scan.contains(digests[0]))
      _ = held.number
      return scan
    }()
    scan.refresh()
    #expect(!scan.contains(digests[0]) && Files.names(in: folder.path).isEmpty)
  }

  @Test("a file that was replaced is read again; an unchanged one is not")
  func replaced() throws {
    let old = try hold("7-a", PinList(stamp: 1, [digests[0]]).encoded())
    var scan = PinScan(folder: folder.path)
    let new = try hold("7-a", PinList(stamp: 2, [digests[1]]).encoded())
    scan.refresh()
    #expect(scan.users == [digests[1]: [7]])
    // The same stamp: by the rule that a changed list has another one, the rest is not looked at.
    let newer = try hold("7-a", PinList(stamp: 2, [digests[2]]).encoded())
    scan.refresh()
    #expect(scan.users == [digests[1]: [7]])
    _ = (old.number, new.number, newer.number)
  }

  @Test("torn, wild and foreign files are no pins and do no harm")
  func hostile() throws {
    let good = PinList([digests[0]]).encoded()
    let empty = try hold("1-a", [])
    let torn = try hold("2-a", Array(good.dropLast()))
    let noise = try hold("3-a", [UInt8](repeating: 0xFF, count: 1000))
    mkfifo(folder.file("4-a"), 0o600)
    symlink(folder.file("1-a"), folder.file("5-a"))
    try FileManager.default.createDirectory(atPath: folder.file("6-a"), withIntermediateDirectories: false)
    try write(good, to: folder.file("notes"))
    #expect(PinScan(folder: folder.path).users.isEmpty)
    #expect(Files.names(in: folder.path) == ["1-a", "2-a", "3-a", "4-a", "5-a", "6-a", "notes"])
    #expect(PinScan(folder: folder.file("missing")).users.isEmpty)
    _ = (empty.number, torn.number, noise.number)
  }

  @Test("a file far larger than any list is read as far as a list may go")
  func large() throws {
    let held = try hold("1-a", PinList([digests[0]]).encoded())
    truncate(folder.file("1-a"), off_t(1) << 36)
    let scan = PinScan(folder: folder.path)
    #expect(scan.contains(digests[0]))
    #expect(scan.users.count == 2)  // The other one is 32 zeros.
    _ = held.number
  }
}
