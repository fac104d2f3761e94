#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The error number of the last system call, and its words.
struct SystemError: Sendable, Hashable, CustomStringConvertible {
  let number: Int32

  /// Reads `errno`; call at once after the call that failed.
  static var last: SystemError { SystemError(number: errno) }

  var description: String {
    guard let text = strerror(number) else { return "error \(number)" }
    return String(cString: text)
  }

  /// Whether the call would have had to wait.
  var wouldBlock: Bool { number == EAGAIN || number == EWOULDBLOCK }
  var isInterrupt: Bool { number == EINTR }
  var isInProgress: Bool { number == EINPROGRESS }
}
