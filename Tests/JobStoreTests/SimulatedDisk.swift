import JobStore
import Synchronization

/// A disk in memory that fails where it is told to, and loses power after a number of operations.
final class SimulatedDisk: JobDisk {
  enum Operation: Hashable {
    case append, sync, truncate, beginReplacement, appendToReplacement, syncReplacement, installReplacement
  }

  /// What is not yet on the disk.
  private enum Change {
    case append([UInt8])
    case truncate(Int)
    case install([UInt8], isSynced: Bool)
  }

  private struct State {
    var durable: [UInt8]?
    var changes: [Change] = []
    var replacement: [UInt8] = []
    var replacementIsSynced = false
    /// Operations that still succeed; nil for all.
    var operationsLeft: Int?
    /// Errors of the next operations of a kind; nil for a success among them.
    var faults: [Operation: [JournalError?]] = [:]
    var counts: [Operation: Int] = [:]
    var bytesRead = 0

    /// The file as processes see it.
    var visible: [UInt8]? {
      changes.reduce(into: durable) { bytes, change in
        switch change {
        case .append(let more): bytes?.append(contentsOf: more)
        case .truncate(let count): bytes = bytes.map { Array($0.prefix(count)) }
        case .install(let whole, _): bytes = whole
        }
      }
    }
  }

  private let state: Mutex<State>
  let path: String? = "/simulated/journal"

  init(_ bytes: [UInt8]? = nil) { state = Mutex(State(durable: bytes)) }

  /// The file as processes see it.
  var bytes: [UInt8]? { state.withLock { $0.visible } }
  var bytesRead: Int { state.withLock { $0.bytesRead } }
  /// The file beside the journal.
  var replacement: [UInt8] { state.withLock { $0.replacement } }
  func count(_ operation: Operation) -> Int { state.withLock { $0.counts[operation] ?? 0 } }
  /// How many operations, reading left out, there were so far.
  var operations: Int { state.withLock { $0.counts.values.reduce(0, +) } }

  /// The next operation of a kind fails; after `successes` that do not.
  func fail(_ operation: Operation, after successes: Int = 0, _ code: JournalError.Code) {
    state.withLock {
      $0.faults[operation, default: []] +=
        [JournalError?](repeating: nil, count: successes) + [JournalError(code, "a fault of the test")]
    }
  }

  /// Loses power in the midst of the operation after `operations` more.
  func losePower(after operations: Int?) { state.withLock { $0.operationsLeft = operations } }

  /// What is found after a loss of power: of what was not synced, the first changes, up to some byte; sometimes with
  /// zeros in place of the rest, as some file systems leave them.
  func crashed(_ random: inout SplitMix) -> SimulatedDisk {
    let (durable, changes) = state.withLock { ($0.durable, $0.changes) }
    var bytes = durable
    for change in changes {
      if random.next(below: 3) == 0 { break }
      switch change {
      case .append(let more):
        let kept = random.next(below: more.count + 1)
        bytes?.append(contentsOf: more[..<kept])
        if kept < more.count {
          if random.next(below: 4) == 0 {
            bytes?.append(contentsOf: [UInt8](repeating: 0, count: random.next(below: more.count - kept + 1)))
          }
          return SimulatedDisk(bytes)
        }
      case .truncate(let count): bytes = bytes.map { Array($0.prefix(count)) }
      case .install(let whole, let isSynced):
        bytes = isSynced ? whole : Array(whole[..<random.next(below: whole.count + 1)])
      }
    }
    return SimulatedDisk(bytes)
  }

  func byteCount() throws(JournalError) -> Int? { state.withLock { $0.visible?.count } }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(JournalError) -> Int {
    let bytes = self.bytes ?? []
    let count = min(buffer.count, bytes.count - offset)
    buffer.copyBytes(from: bytes[offset..<offset + count])
    state.withLock { $0.bytesRead += count }
    return count
  }

  func append(_ bytes: [UInt8]) throws(JournalError) {
    try perform(.append, partly: { $0.changes.append(.append(Array(bytes[..<(bytes.count / 2)]))) }) { state in
      state.changes.append(.append(bytes))
    }
  }

  func sync() throws(JournalError) {
    try perform(.sync) { state in
      state.durable = state.visible
      state.changes = []
    }
  }

  func truncate(to byteCount: Int) throws(JournalError) {
    try perform(.truncate) { $0.changes.append(.truncate(byteCount)) }
  }

  func beginReplacement() throws(JournalError) {
    try perform(.beginReplacement) { state in
      state.replacement = []
      state.replacementIsSynced = false
    }
  }

  func appendToReplacement(_ bytes: [UInt8]) throws(JournalError) {
    try perform(.appendToReplacement) { state in
      state.replacement += bytes
      state.replacementIsSynced = false
    }
  }

  func syncReplacement() throws(JournalError) { try perform(.syncReplacement) { $0.replacementIsSynced = true } }

  func installReplacement() throws(JournalError) {
    let rename = { @Sendable (state: inout State) in
      state.changes.append(.install(state.replacement, isSynced: state.replacementIsSynced))
    }
    try perform(.installReplacement, partly: rename) { state in
      rename(&state)
      if state.replacementIsSynced {
        state.durable = state.replacement
        state.changes = []
      }
    }
  }

  func discardReplacement() { state.withLock { $0.replacement = [] } }

  /// - Parameter partly: what happens of an operation that fails.
  private func perform(
    _ operation: Operation, partly: @Sendable (inout State) -> Void = { _ in },
    _ whole: @Sendable (inout State) -> Void
  ) throws(JournalError) {
    let error: JournalError? = state.withLock { state in
      state.counts[operation, default: 0] += 1
      if let left = state.operationsLeft {
        if left == 0 { partly(&state) }
        state.operationsLeft = left - 1
        if left <= 0 { return JournalError(.io, "no power") }
      }
      if let faults = state.faults[operation], let first = faults.first {
        state.faults[operation] = Array(faults.dropFirst())
        if let first {
          partly(&state)
          return first
        }
      }
      whole(&state)
      return nil
    }
    if let error { throw error }
  }
}
