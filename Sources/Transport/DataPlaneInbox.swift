#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
import Synchronization

/// What other threads may give to a data plane: accepted sockets, and a wake-up.
final class DataPlaneInbox: Waker {
  let pipe = PipeWaker()
  private let sockets = Mutex<[(descriptor: Int32, remote: String)]>([])
  private let hasSockets = Atomic<Bool>(false)

  deinit {
    for (descriptor, _) in sockets.withLock({ $0 }) { close(descriptor) }
  }

  func wake() { pipe.wake() }

  func add(_ descriptor: Int32, _ remote: String) {
    sockets.withLock { $0.append((descriptor, remote)) }
    hasSockets.store(true, ordering: .releasing)
    pipe.wake()
  }

  /// The sockets that have come since the last call.
  func takeSockets() -> [(descriptor: Int32, remote: String)] {
    guard hasSockets.exchange(false, ordering: .acquiringAndReleasing) else { return [] }
    return sockets.withLock { sockets in
      defer { sockets = [] }
      return sockets
    }
  }
}
