import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The pieces that processes have in use, as their files in the folder `pins` of a store say.
///
/// A file counts while its process holds the lock on it. When the process is gone the lock is free, whatever ended it,
/// and the file is removed by whoever looks next. Locks are only tried, so that nobody waits for a process that hangs.
struct PinScan {
  private let folder: String
  private let skipped: String?
  private var lists: [String: PinList] = [:]

  /// - Parameters:
  ///   - folder: with the files; need not be there.
  ///   - skipped: name of a file that is not looked at.
  init(folder: String, skipping skipped: String? = nil) {
    self.folder = folder
    self.skipped = skipped
    refresh()
  }

  /// Looks again. Files that did not change since are not read again.
  mutating func refresh() {
    var found: [String: PinList] = [:]
    for name in Files.names(in: folder) where name != skipped && PinList.processID(ofFileName: name) != nil {
      found[name] = list(name)
    }
    lists = found
  }

  /// Whether a process has the piece in use.
  func contains(_ digest: Digest) -> Bool { lists.values.contains { $0.digests.contains(digest) } }

  /// The processes that have a piece in use, for all such pieces; process ids ascending.
  var users: [Digest: [Int32]] {
    var users: [Digest: Set<Int32>] = [:]
    for (name, list) in lists {
      guard let processID = PinList.processID(ofFileName: name) else { continue }
      for digest in list.digests { users[digest, default: []].insert(processID) }
    }
    return users.mapValues { $0.sorted() }
  }

  private func list(_ name: String) -> PinList? {
    let path = folder + "/" + name
    // Its process may replace the file just now; each further round needs another change in between.
    for _ in 0..<16 {
      let opened: Descriptor?
      do throws(ShardStoreError) { opened = try Files.open(path) } catch { return lists[name] }
      guard let file = opened, let status = Files.status(file) else { return nil }
      if Files.isLocked(file) { return read(file, status.byteCount, name) }
      // The lock of a file that was replaced is free too, but that file has no name any more.
      if Files.hasName(file) {
        unlink(path)
        return nil
      }
    }
    return lists[name]
  }

  private func read(_ file: borrowing Descriptor, _ byteCount: Int, _ name: String) -> PinList? {
    let header = bytes(file, PinList.headerBytes)
    guard let stamp = PinList.stamp(ofHeader: header) else { return nil }
    if let known = lists[name], known.stamp == stamp { return known }
    return PinList.decoded(bytes(file, min(byteCount, PinList.headerBytes + PinList.limit * Digest.byteCount)))
  }

  /// The first bytes of a file, or as many as there are; none when it cannot be read.
  private func bytes(_ file: borrowing Descriptor, _ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      initialized = (try? Files.read(file, at: 0, into: UnsafeMutableRawBufferPointer(buffer), path: folder)) ?? 0
    }
  }
}
