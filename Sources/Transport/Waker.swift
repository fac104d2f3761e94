#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
private import Synchronization

/// Wakes a thread that waits, from any other thread.
public protocol Waker: Sendable {
  /// Ends the wait under way, or the next one when there is none.
  func wake()
}

/// A waker whose wait can be combined with sockets: a pipe, written to once until it is taken notice of.
public final class PipeWaker: Waker {
  /// Becomes readable when somebody wakes.
  let readEnd: Int32
  /// Readable once it was woken, for `poll(2)`.
  public var descriptor: Int32 { readEnd }
  private let writeEnd: Int32
  private let isPending = Atomic<Bool>(false)

  /// Opens the pipe; the system must have two file descriptors left.
  public init() {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { preconditionFailure("no file descriptors left for a pipe") }
    for end in ends { SocketOptions.makeNonBlocking(end) }
    readEnd = ends[0]
    writeEnd = ends[1]
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  public func wake() {
    guard !isPending.exchange(true, ordering: .acquiringAndReleasing) else { return }
    var byte: UInt8 = 1
    _ = write(writeEnd, &byte, 1)
  }

  /// Whether somebody has woken since the last `clear`.
  var isWoken: Bool { isPending.load(ordering: .acquiring) }

  /// Takes notice. Whatever was posted before a `wake` that came before this is visible afterwards.
  ///
  /// The pipe is read even when nobody seems to have woken: a waker that was interrupted between its two steps writes its
  /// byte late, and a byte that stays would end every wait at once.
  func clear() {
    var bytes: (UInt64, UInt64) = (0, 0)
    _ = read(readEnd, &bytes, 16)
    isPending.store(false, ordering: .sequentiallyConsistent)
  }

  /// Blocks until somebody wakes or the deadline has passed, then takes notice.
  /// - Returns: whether somebody woke; now and then true for nothing.
  @discardableResult
  public func wait(until deadline: ContinuousClock.Instant?) -> Bool {
    defer { clear() }
    while !isWoken {
      var descriptor = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
      if poll(&descriptor, 1, Deadline.milliseconds(until: deadline)) > 0 { return true }
      if Deadline.hasPassed(deadline) { return isWoken }
    }
    return true
  }
}

/// Deadlines as system calls take them.
enum Deadline {
  /// Milliseconds for `poll`, rounded up so that it does not return early; -1 without a deadline.
  static func milliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
    guard let deadline else { return -1 }
    let left = deadline - ContinuousClock.now
    guard left > .zero else { return 0 }
    let (seconds, attoseconds) = left.components
    guard seconds < 1_000_000 else { return 1_000_000_000 }
    return Int32(seconds) * 1000 + Int32((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }

  static func hasPassed(_ deadline: ContinuousClock.Instant?) -> Bool {
    guard let deadline else { return false }
    return ContinuousClock.now >= deadline
  }
}
