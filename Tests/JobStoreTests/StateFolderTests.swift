import Foundation
import Tensors
import Testing

@testable import JobStore

@Suite("StateFolder")
struct StateFolderTests {
  @Test("folder and files are made for their user only")
  func modes() throws {
    let root = try TemporaryFolder()
    let folder = try StateFolder(root.path + "/new/state")
    try folder.storeTopology([1])
    _ = try Journal.open(folder.journalFile())
    func mode(_ path: String) throws -> Int? {
      try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
    #expect(try mode(root.path + "/new") == 0o700 && mode(folder.path) == 0o700)
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      #expect(try mode(folder.path + "/" + name) == 0o600, "\(name)")
    }
  }

  @Test("two never share a folder; the journal's file alone keeps it taken")
  func lock() throws {
    let root = try TemporaryFolder()
    let path = root.path + "/state"
    var first: StateFolder? = try StateFolder(path)
    let error = caught { _ = try StateFolder(path) }
    #expect(error?.code == .inUse && error?.path == path)
    #expect(error?.description.contains("another shoal serve") == true)
    var file = first?.journalFile()
    first = nil
    #expect(file != nil && caught { _ = try StateFolder(path) }?.code == .inUse)
    file = nil
    _ = try StateFolder(path)
  }

  @Test("identity and topology come back, also to the next process")
  func stores() throws {
    let root = try TemporaryFolder()
    let identity = ClusterIdentity(high: 0xAB, low: .max, term: CoordinatorTerm(rawValue: 4_294_967_295))
    do {
      let folder = try StateFolder(root.path)
      #expect(try folder.loadIdentity() == nil && folder.loadTopology() == nil)
      try folder.storeIdentity(ClusterIdentity(high: 1, low: 2, term: CoordinatorTerm(rawValue: 3)))
      try folder.storeIdentity(identity)
      try folder.storeTopology(Array("{ }\n".utf8))
      try folder.storeTopology([])
      try folder.storeTopology([0, 255])
    }
    let folder = try StateFolder(root.path)
    #expect(try folder.loadIdentity() == identity)
    #expect(try folder.loadTopology() == [0, 255])
    let text = try String(contentsOfFile: root.path + "/cluster", encoding: .utf8)
    #expect(text == "00000000000000ab ffffffffffffffff 4294967295\n")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: root.path).sorted() == ["cluster", "lock", "topology.json"])
  }

  @Test("an identity that is not right to the byte is refused, and nothing replaces it")
  func badIdentity() throws {
    let root = try TemporaryFolder()
    let folder = try StateFolder(root.path)
    let good = "00000000000000ab 00000000000000cd 7\n"
    let wrong =
      good.indices.map { String(good[..<$0]) } + [
        good + "\n", " " + good, good.replacingOccurrences(of: " 7", with: " 07"),
        good.replacingOccurrences(of: " 7", with: " +7"), good.replacingOccurrences(of: "ab", with: "g1"),
        good.replacingOccurrences(of: "00000000000000ab", with: "+0000000000000ab"),
        good.replacingOccurrences(of: " 7", with: " 4294967296"), String(repeating: "0", count: 300),
      ]
    for text in wrong {
      try Data(text.utf8).write(to: URL(fileURLWithPath: root.path + "/cluster"))
      let error = caught { _ = try folder.loadIdentity() }
      #expect(error != nil && error?.path == root.path + "/cluster", "\(text)")
    }
    try Data(good.utf8).write(to: URL(fileURLWithPath: root.path + "/cluster"))
    #expect(try folder.loadIdentity() == ClusterIdentity(high: 0xAB, low: 0xCD, term: CoordinatorTerm(rawValue: 7)))
  }

  @Test("what is too large, or no file, is refused; a failed store leaves the old one")
  func refusals() throws {
    let root = try TemporaryFolder()
    let folder = try StateFolder(root.path)
    try folder.storeTopology([5])
    let large = [UInt8](repeating: 0, count: StateFolder.topologyBytesMax + 1)
    #expect(caught { try folder.storeTopology(large) }?.code == .overLimit)
    try FileManager.default.createDirectory(
      atPath: root.path + "/.tmp-topology.json", withIntermediateDirectories: false)
    #expect(caught { try folder.storeTopology([6]) } != nil)
    #expect(try folder.loadTopology() == [5])
    try FileManager.default.createDirectory(atPath: root.path + "/cluster", withIntermediateDirectories: false)
    #expect(caught { _ = try folder.loadIdentity() }?.code == .io)
    try Data().write(to: URL(fileURLWithPath: root.path + "/file"))
    #expect(caught { _ = try StateFolder(root.path + "/file") } != nil)
    #expect(caught { _ = try StateFolder(root.path + "/file/below") } != nil)
  }

  @Test("the default is below the first absolute path of the two that are asked")
  func defaultPath() {
    #expect(StateFolder.defaultPath(environment: ["XDG_STATE_HOME": "/s/", "HOME": "/h"]) == "/s/shoal")
    #expect(StateFolder.defaultPath(environment: ["XDG_STATE_HOME": "s", "HOME": "/h"]) == "/h/.local/state/shoal")
    #expect(StateFolder.defaultPath(environment: ["HOME": "h"]) == nil)
    #expect(StateFolder.defaultPath(environment: [:]) == nil)
  }
}
