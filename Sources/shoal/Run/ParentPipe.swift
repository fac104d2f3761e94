import Transport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Ends this process when the one that started it is gone: standard input is a pipe that only the parent holds open.
enum ParentPipe {
  static func watch() throws {
    let thread = try PlatformThread {
      var byte: UInt8 = 0
      while true {
        let count = read(STDIN_FILENO, &byte, 1)
        if count > 0 || (count < 0 && errno == EINTR) { continue }
        // Nothing here is worth an orderly end: the store is written atomically.
        _exit(0)
      }
    }
    thread.detach()
  }
}
