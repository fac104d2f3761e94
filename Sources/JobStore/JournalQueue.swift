private import Dispatch
private import Synchronization

/// Writes to a journal on a thread of its own, so that nobody waits for a disk; what piles up meanwhile shares a sync.
public final class JournalQueue: JournalWriter {
  private struct Request {
    let entries: [JournalEntry]
    let byteCount: Int
    let done: @Sendable (Result<Void, JournalError>) -> Void
  }

  private struct State {
    var waiting: [Request] = []
    /// Bytes of the entries whose `done` has not been called.
    var byteCount = 0
    var isScheduled = false
  }

  /// Most bytes of entries that may wait.
  public let byteLimit: Int
  private let journal: Journal
  private let queue = DispatchQueue(label: "shoal.journal")
  private let state = Mutex(State())

  /// - Parameter byteLimit: most bytes of entries that may wait, those being written included.
  public init(_ journal: Journal, byteLimit: Int = 2 * JournalLimits.payloadBytes) {
    precondition(byteLimit > 0, "the queue must hold something")
    self.journal = journal
    self.byteLimit = byteLimit
  }

  /// Makes entries durable, all or none of them, and then calls `done` on the queue's thread. It must not wait there.
  ///
  /// Entries that do not fit beside those that wait are refused with `busy`, and entries that never would with
  /// `overLimit`, at once and on the caller's thread.
  public func write(_ entries: [JournalEntry], done: @escaping @Sendable (Result<Void, JournalError>) -> Void) {
    let byteCount = entries.reduce(0) { $0 + $1.encodedByteCount }
    guard byteCount <= min(byteLimit, JournalLimits.payloadBytes) else {
      let limit = min(byteLimit, JournalLimits.payloadBytes)
      done(.failure(JournalError(.overLimit, "\(byteCount) bytes are to be written at once, \(limit) are allowed")))
      return
    }
    let request = Request(entries: entries, byteCount: byteCount, done: done)
    let (isTaken, schedules) = state.withLock { state in
      guard state.byteCount + byteCount <= byteLimit else { return (false, false) }
      state.waiting.append(request)
      state.byteCount += byteCount
      defer { state.isScheduled = true }
      return (true, !state.isScheduled)
    }
    guard isTaken else {
      done(.failure(JournalError(.busy, "the disk does not keep up: \(byteLimit) bytes wait for it; try again later")))
      return
    }
    if schedules { queue.async { self.writeWaiting() } }
  }

  /// Waits until everything written so far is durable or refused, and has been told so. Not to be called from `done`.
  public func drain() { queue.sync { writeWaiting() } }

  private func writeWaiting() {
    let requests = state.withLock { state in
      defer { state.waiting = [] }
      state.isScheduled = false
      return state.waiting
    }
    guard !requests.isEmpty else { return }
    let errors = journal.append(groups: requests.map(\.entries))
    for (request, error) in zip(requests, errors) {
      state.withLock { $0.byteCount -= request.byteCount }
      request.done(error.map { .failure($0) } ?? .success(()))
    }
  }
}
