import Synchronization
public import Transport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Notices when a file is saved, also by editors that write another file and rename it over the old one.
///
/// The folder is watched with inotify, because a rename replaces the file that could be watched itself; and as file
/// systems on the network tell nothing, the file's identity is looked at every two seconds as well.
public final class TopologyWatcher: Sendable {
  private let path: String
  private let folder: String
  private let name: String
  private let changed: @Sendable () -> Void
  private let isStopped = Atomic<Bool>(false)
  private let waker = PipeWaker()
  private let thread = Mutex<PlatformThread?>(nil)

  /// Begins to watch.
  /// - Parameters:
  ///   - path: the file; it need not exist.
  ///   - changed: called on the watcher's thread after a save, and once it has been quiet for a moment.
  /// - Throws: `TransportError` when no thread can be started.
  public init(path: String, changed: @escaping @Sendable () -> Void) throws(TransportError) {
    self.path = path
    let slash = path.lastIndex(of: "/")
    folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    self.changed = changed
    // What is saved from here on is news, also before the thread runs.
    let first = FileState(path)
    let watcher = try PlatformThread { [weak self] in
      let notifier = self?.makeNotifier() ?? -1
      var last = first
      while let self, !self.isStopped.load(ordering: .acquiring) { last = self.look(notifier, last) }
      if notifier >= 0 { close(notifier) }
    }
    thread.withLock { $0 = watcher }
  }

  /// Ends watching; nothing is called any more afterwards.
  public func stop() {
    isStopped.store(true, ordering: .releasing)
    waker.wake()
    thread.withLock { $0.take() }?.join()
  }

  /// An inotify instance for the folder; -1 when there is none to be had.
  private func makeNotifier() -> Int32 {
    let notifier = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    guard notifier >= 0 else { return -1 }
    inotify_add_watch(notifier, folder, UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO) | UInt32(IN_CREATE))
    return notifier
  }

  /// Waits for news; returns what the file is now.
  private func look(_ notifier: Int32, _ last: FileState) -> FileState {
    var descriptors = [
      pollfd(fd: waker.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: notifier, events: Int16(POLLIN), revents: 0),
    ]
    _ = poll(&descriptors, nfds_t(notifier >= 0 ? 2 : 1), Self.pollMilliseconds)
    if descriptors[1].revents != 0 {
      // Saves come in bursts; the last one counts.
      usleep(Self.quietMicroseconds)
      drain(notifier)
    }
    let now = FileState(path)
    if now != last, !isStopped.load(ordering: .acquiring) { changed() }
    return now
  }

  private func drain(_ notifier: Int32) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while read(notifier, &buffer, buffer.count) > 0 {}
  }

  private static let pollMilliseconds: Int32 = 2000
  private static let quietMicroseconds: UInt32 = 20_000
}

/// What tells one state of a file from another.
private struct FileState: Equatable {
  private let device: UInt64
  private let inode: UInt64
  private let size: Int64
  private let seconds: Int
  private let nanoseconds: Int

  /// All zeros for a file that is not there.
  init(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      (device, inode, size, seconds, nanoseconds) = (0, 0, 0, 0, 0)
      return
    }
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    size = Int64(status.st_size)
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
  }
}
