import Dispatch
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Turns SIGINT, SIGTERM and SIGHUP into a call of a closure; SIGPIPE is ignored, so that writes fail instead.
///
/// The first signal asks for an orderly end; another one ends the process at once, and its children by their pipes. A
/// SIGHUP that was ignored from the start (nohup) stays ignored.
final class SignalWatch {
  private var sources: [any DispatchSourceSignal] = []

  init(_ handler: @escaping @Sendable (Int32) -> Void) {
    signal(SIGPIPE, SIG_IGN)
    let counter = SignalCounter()
    for number in [SIGINT, SIGTERM, SIGHUP] {
      let earlier = signal(number, SIG_IGN)
      if number == SIGHUP, Self.isIgnored(earlier) { continue }
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        if counter.isFirst() { handler(number) } else { _exit(128 + number) }
      }
      source.resume()
      sources.append(source)
    }
  }

  func cancel() { for source in sources { source.cancel() } }

  private static func isIgnored(_ action: (@convention(c) (Int32) -> Void)?) -> Bool {
    // Not functions: 0 and 1 stand for the default action and for none.
    unsafeBitCast(action, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}

private final class SignalCounter: Sendable {
  private let hasCome = Atomic<Bool>(false)

  func isFirst() -> Bool { !hasCome.exchange(true, ordering: .relaxed) }
}
