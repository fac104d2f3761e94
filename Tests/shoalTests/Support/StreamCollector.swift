import Foundation
import Synchronization

/// Collects what a process writes to one of its streams, on a thread of its own.
final class StreamCollector: Sendable {
  private struct State {
    var bytes = Data()
    var isAtEnd = false
  }

  private let state = Mutex(State())
  private let changed = NSCondition()

  /// - Parameter limit: bytes after which the stream is closed, as `head -c` does.
  init(_ pipe: Pipe, limit: Int = .max) {
    let descriptor = dup(pipe.fileHandleForReading.fileDescriptor)
    try? pipe.fileHandleForReading.close()
    Thread.detachNewThread { [self] in
      collect(descriptor, limit)
      close(descriptor)
      state.withLock { $0.isAtEnd = true }
      notify()
    }
  }

  private func collect(_ descriptor: Int32, _ limit: Int) {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    var total = 0
    while total < limit {
      let count = read(descriptor, &chunk, min(chunk.count, limit - total))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      total += count
      state.withLock { $0.bytes.append(contentsOf: chunk[..<count]) }
      notify()
    }
  }

  private func notify() {
    changed.lock()
    changed.broadcast()
    changed.unlock()
  }

  var bytes: Data { state.withLock { $0.bytes } }
  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Waits until the text has a part, or nothing more can come.
  /// - Returns: whether the part is there.
  func wait(for part: String, until deadline: Date) -> Bool {
    wait(until: deadline) { $0.bytes.range(of: Data(part.utf8)) != nil } && text.contains(part)
  }

  /// Waits until the stream has ended.
  func waitForEnd(until deadline: Date) -> Bool { wait(until: deadline) { _ in false } }

  private func wait(until deadline: Date, _ isEnough: (borrowing State) -> Bool) -> Bool {
    changed.lock()
    defer { changed.unlock() }
    while !state.withLock({ isEnough($0) || $0.isAtEnd }) {
      guard changed.wait(until: deadline) else { return false }
    }
    return true
  }
}
