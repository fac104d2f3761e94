#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Settings of file descriptors.
enum SocketOptions {
  /// Reads and writes return at once; a child process does not inherit it.
  static func makeNonBlocking(_ descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  /// Reads and writes wait.
  static func makeBlocking(_ descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
  }

  /// Small frames are sent at once. An idle connection is probed after two seconds, so that one whose peer was started
  /// anew is soon reset; a peer whose system acknowledges nothing (or has no room) for ten seconds, while
  /// something is on its way to it, is gone: on a slow link acknowledgements still come.
  static func tune(_ descriptor: Int32) {
    set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
    set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 2)
    set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 2)
    set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, 9)
    set(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 10_000)
  }

  /// The system's `listen`, under a name that a method of the same name does not hide.
  static func listen(_ descriptor: Int32, backlog: Int32) -> Int32 {
    systemListen(descriptor, backlog)
  }

  static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }
}

private func systemListen(_ descriptor: Int32, _ backlog: Int32) -> Int32 { listen(descriptor, backlog) }
