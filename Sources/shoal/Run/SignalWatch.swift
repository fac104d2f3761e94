import Transport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Turns SIGINT, SIGTERM and SIGHUP into a call of a closure, for the rest of the process; SIGPIPE is ignored, so that
/// writes fail instead.
///
/// The first signal asks for an orderly end; another one ends the process at once, and its children by their pipes. A
/// SIGHUP that was ignored from the start (nohup) stays ignored.
enum SignalWatch {
  /// Call once.
  static func start(_ handler: @escaping @Sendable (Int32) -> Void) throws {
    signal(SIGPIPE, SIG_IGN)
    let source = SignalPipe.ends.read
    guard source >= 0 else { throw InputError(.software, "no pipe for signals: \(String(cString: strerror(errno)))") }
    // Only now, and with a handler: a signal that came between "ignore" and "watch" would be lost.
    for number in watched {
      let earlier = signal(number, forward)
      if number == SIGHUP, isIgnored(earlier) { signal(number, SIG_IGN) }
    }
    let thread = try PlatformThread {
      unblock()
      var isAsked = false
      while let number = next(source) {
        if isAsked { _exit(128 + number) }
        isAsked = true
        handler(number)
      }
    }
    thread.detach()
  }

  private static let watched = [SIGINT, SIGTERM, SIGHUP]

  /// Whoever started this process may have blocked signals, which is inherited; one thread that takes them is enough.
  private static func unblock() {
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in watched { sigaddset(&signals, number) }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// The next signal's number; waits for it.
  private static func next(_ source: Int32) -> Int32? {
    var number: UInt8 = 0
    while true {
      let count = read(source, &number, 1)
      if count == 1 { return Int32(number) }
      guard count < 0, errno == EINTR else { return nil }
    }
  }

  private static func isIgnored(_ action: (@convention(c) (Int32) -> Void)?) -> Bool {
    // Not functions: 0 and 1 stand for the default action and for none.
    unsafeBitCast(action, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}

/// From the signal handler to the thread that watches.
private enum SignalPipe {
  /// Made before the handler is installed; -1 when it cannot be made.
  static let ends: (read: Int32, write: Int32) = {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return (-1, -1) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    // A handler must not wait, however many signals come.
    _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
    return (ends[0], ends[1])
  }()
}

/// A signal handler: does nothing but what is allowed there.
private func forward(_ number: Int32) {
  let code = errno
  var byte = UInt8(truncatingIfNeeded: number)
  _ = write(SignalPipe.ends.write, &byte, 1)
  errno = code
}
