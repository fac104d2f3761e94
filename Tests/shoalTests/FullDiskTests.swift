import Foundation
import Testing

/// A small disk in memory; only root can make one.
private final class SmallDisk {
  let path: String

  /// - Parameter size: as mount takes it, such as "4m".
  init(_ name: String, size: String) throws {
    path = try Workshop.folder(name).path
    guard mount("tmpfs", path, "tmpfs", 0, "size=\(size)") == 0 else { throw RunningShoal.Failure("no disk: \(errno)") }
  }

  deinit { umount2(path, Int32(MNT_DETACH)) }

  /// Takes all the room there is left.
  func fill() throws {
    let descriptor = open(path + "/filler", O_CREAT | O_WRONLY, 0o600)
    defer { close(descriptor) }
    try #require(descriptor >= 0)
    for size in [4096, 1] {
      let zeros = [UInt8](repeating: 0, count: size)
      while write(descriptor, zeros, size) == size {}
    }
    #expect(errno == ENOSPC)
  }

  func free() throws { try FileManager.default.removeItem(atPath: path + "/filler") }

  static let isPossible: Bool = (try? SmallDisk("probe", size: "64k")) != nil
}

extension CommandLineTests {
  @Suite("disks that fail")
  struct FullDiskTests {
    private static let text = LongGeneration.topology
    private static let quick = ["--tokens", "1,2,3", "--max-tokens", "8", "--seed", "3", "--ignore-eos"]

    private func cluster(_ stores: String) throws -> (HandMadeCluster, [String: URL]) {
      let folders = try Self.text.nodes.keys.reduce(into: [String: URL]()) {
        $0[$1] = try Workshop.folder("\(stores)-\($1)")
      }
      return (try HandMadeCluster(Self.text, arguments: folders.mapValues { ["--store", $0.path] }), folders)
    }

    @Test(
      "no room for the journal: the job is refused with the reason, others go on; with room it is taken",
      .enabled(if: SmallDisk.isPossible, "only root can make a small disk"))
    func stateFolder() throws {
      let disk = try SmallDisk("state-disk", size: "512k")
      let known = try KnownJobs(4)
      let cluster = try HandMadeCluster(Self.text, state: disk.path + "/state")
      let ids = try known.submit(to: cluster)
      try cluster.waitUntil("tokens") { try cluster.job(ids[0]).tokens > 0 }
      try disk.fill()
      // More than what is left of the journal's last page.
      let long = (0..<1000).map { "\($0 + 3)" }.joined(separator: ",")
      let submit = ["submit", "--coordinator", cluster.address, "--max-tokens", "8", "--tokens", long]
      let outcomes = try (0..<2).map { _ in try RunningShoal.run(submit) }
      let refused = try #require(outcomes.last)
      #expect(refused.status == 69 && refused.output.isEmpty)
      #expect(refused.errors.contains("No space left") && refused.errors.contains(disk.path), "\(refused.errors)")
      #expect(try cluster.jobs().count == ids.count + outcomes.count { $0.status == 0 })
      try cluster.waitUntil("a job ends meanwhile") { try cluster.jobs().contains { $0.state == "done" } }
      try disk.free()
      let late = try cluster.submit(Self.quick)
      try cluster.restartCoordinator(SIGKILL)
      try known.check(ids, of: cluster)
      #expect(try cluster.tokens(late).count == 8)
      try cluster.stop()
    }

    @Test(
      "no room for weights: workers compute from memory, say so, and the tokens are right",
      .enabled(if: SmallDisk.isPossible, "only root can make a small disk"))
    func store() throws {
      let disk = try SmallDisk("store-disk", size: "1m")
      let known = try KnownJobs(2, maxTokens: 100)
      let names = Self.text.nodes.keys.sorted()
      let cluster = try HandMadeCluster(
        Self.text, arguments: Dictionary(uniqueKeysWithValues: names.map { ($0, ["--store", disk.path + "/store"]) }))
      try known.check(try known.submit(to: cluster), of: cluster)
      let said = try names.map { try cluster.worker($0).errorText }.joined()
      #expect(said.contains("No space left"), "\(said)")
      try cluster.stop()
    }

    @Test("a shard that was damaged on disk is fetched again, and never used")
    func corrupted() throws {
      let known = try KnownJobs(2, maxTokens: 100)
      let (cluster, folders) = try cluster("corrupted")
      try cluster.kill("cove")
      let folder = try #require(folders["cove"])
      let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).map { folder.appending(path: $0) }
        .filter { (try? $0.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0) ?? 0 > 50_000 }
      #expect(files.count > 10)
      for file in files {
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count / 2] ^= 0x10
        try bytes.write(to: file)
      }
      try cluster.startAgain("cove")
      try cluster.waitUntilRunning(Self.text)
      #expect(try cluster.bytesMovedLast() > 100_000)
      try known.check(try known.submit(to: cluster), of: cluster)
      try cluster.stop()
    }

    @Test("a store deleted under running workers: they go on, also through an edit, with the same tokens")
    func deleted() throws {
      let known = try KnownJobs(6)
      let (cluster, folders) = try cluster("deleted")
      let ids = try known.submit(to: cluster)
      try cluster.waitUntil("tokens") { try cluster.job(ids[0]).tokens > 0 }
      for folder in folders.values { try FileManager.default.removeItem(at: folder) }
      var next = Self.text
      next.stages[0].host = "sound"
      next.stages[0].experts = ["reef": "8-15", "cove": "0-7"]
      try cluster.save(next)
      try cluster.waitUntilRunning(next)
      try cluster.kill("sound")
      try cluster.startAgain("sound")
      try cluster.waitUntilRunning(next)
      try known.check(ids, of: cluster)
      try cluster.stop()
    }
  }
}
