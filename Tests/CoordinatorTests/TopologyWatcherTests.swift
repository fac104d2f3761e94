import Foundation
import Testing
import Transport

@testable import Coordinator

@Suite("TopologyWatcher", .serialized)
struct TopologyWatcherTests {
  /// A folder of its own, and a watcher of one file in it; what it tells goes to a mailbox.
  private final class Bench {
    let folder = NSTemporaryDirectory() + "shoal-watch-\(UUID().uuidString)"
    let events = Mailbox<String>(capacity: 1000)
    private(set) var watcher: TopologyWatcher?
    var path: String { folder + "/topology.json" }

    init(_ text: String?) throws {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      if let text { try save(text) }
      let (events, path) = (events, path)
      watcher = try TopologyWatcher(path: path) {
        events.post((try? String(contentsOfFile: path, encoding: .utf8)) ?? "gone")
      }
    }

    deinit {
      watcher?.stop()
      try? FileManager.default.removeItem(atPath: folder)
    }

    /// Writes into the file itself.
    func save(_ text: String, as name: String = "topology.json") throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/" + name))
    }

    /// Writes another file and renames it over the old one.
    func replace(_ text: String) throws {
      try save(text, as: "topology.json.tmp")
      guard rename(path + ".tmp", path) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    /// What the file held when the watcher told of it; waits until that is so.
    func expect(_ text: String) -> Bool {
      while events.wait(until: .now + .seconds(30)) {
        while let event = events.take() { if event == text { return true } }
      }
      return false
    }
  }

  @Test("a save in place and an atomic rename are both noticed, one after the other")
  func saves() throws {
    let bench = try Bench("one")
    try bench.save("two!")
    #expect(bench.expect("two!"))
    try bench.replace("three")
    #expect(bench.expect("three"))
    try bench.save("four and more")
    #expect(bench.expect("four and more"))
    try bench.replace("five")
    #expect(bench.expect("five"))
  }

  @Test("a save that comes at once after the watcher was made is not missed")
  func early() throws {
    for round in 0..<20 {
      let bench = try Bench("one")
      try bench.save("round \(round)")
      #expect(bench.expect("round \(round)"))
    }
  }

  @Test("a file that is deleted and made again is noticed, as is one that was not there at first")
  func deleted() throws {
    let bench = try Bench(nil)
    try bench.save("first")
    #expect(bench.expect("first"))
    try FileManager.default.removeItem(atPath: bench.path)
    try bench.save("again")
    #expect(bench.expect("again"))
  }

  @Test("other files of the folder, and reading, are no news; after the end there is none at all")
  func noNews() throws {
    let bench = try Bench("one")
    for round in 0..<20 {
      try bench.save("other \(round)", as: "notes.txt")
      _ = try String(contentsOfFile: bench.path, encoding: .utf8)
    }
    // Told in order: had there been news before, it would come first.
    try bench.replace("two")
    bench.events.wait(until: .now + .seconds(30))
    #expect(bench.events.take() == "two")
    bench.watcher?.stop()
    let count = bench.events.count
    try bench.replace("three")
    bench.watcher?.stop()
    #expect(bench.events.count == count)
  }

  @Test("a path without a folder is one of the working folder, and nobody minds one that does not exist")
  func paths() throws {
    for path in ["no-such-topology.json", "/no/such/folder/topology.json", "/no-such-topology.json"] {
      let events = Mailbox<Bool>(capacity: 10)
      let watcher = try TopologyWatcher(path: path) { events.post(true) }
      watcher.stop()
      #expect(events.count == 0)
    }
  }
}
