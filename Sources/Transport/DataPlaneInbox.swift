#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
import Synchronization

/// What other threads may give to a data plane: accepted sockets, addresses that were looked up, and a wake-up.
final class DataPlaneInbox: Waker {
  /// What a lookup of a host name found.
  typealias Lookup = (address: HostPort, found: Result<[SocketAddress], TransportError>)

  private struct News {
    var sockets: [(descriptor: Int32, remote: String)] = []
    var lookups: [Lookup] = []
  }

  let pipe = PipeWaker()
  private let news = Mutex(News())
  private let hasNews = Atomic<Bool>(false)

  deinit {
    for (descriptor, _) in news.withLock({ $0.sockets }) { close(descriptor) }
  }

  func wake() { pipe.wake() }

  func add(_ descriptor: Int32, _ remote: String) {
    news.withLock { $0.sockets.append((descriptor, remote)) }
    hasNews.store(true, ordering: .releasing)
    pipe.wake()
  }

  func add(_ lookup: Lookup) {
    news.withLock { $0.lookups.append(lookup) }
    hasNews.store(true, ordering: .releasing)
    pipe.wake()
  }

  /// What has come since the last call.
  func take() -> (sockets: [(descriptor: Int32, remote: String)], lookups: [Lookup]) {
    guard hasNews.exchange(false, ordering: .acquiringAndReleasing) else { return ([], []) }
    return news.withLock { news in
      defer { news = News() }
      return (news.sockets, news.lookups)
    }
  }
}
