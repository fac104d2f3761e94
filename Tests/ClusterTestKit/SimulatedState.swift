import Cluster
public import Coordinator
public import JobStore
import Synchronization

/// What a coordinator keeps on disk: the journal, and what was wished for last. Writes take their time, and a crash of the
/// coordinator loses those that wait; a crash of the machine also cuts the journal within what was not synced.
public final class SimulatedState: JobJournal, Sendable {
  private struct Request {
    let entries: [JournalEntry]
    let done: @Sendable (JournalError?) -> Void
  }

  private struct State {
    var disk = SimulatedDisk()
    var journal: Journal?
    var waiting: [Request] = []
    var topology: DesiredCluster?
    /// All that were ever saved; `DesiredCluster.source` is the index.
    var offered: [DesiredCluster] = []
    /// Entries that are left out, for tests of the tests.
    var isForgotten: (@Sendable (JournalEntry) -> Bool)?
    /// What was said to be on disk.
    var confirmed: [JobID: Confirmed] = [:]
    var losses: [String] = []
  }

  /// What the journal must know of a job.
  private struct Confirmed {
    var tokenCount = 0
    var hasEnded = false
  }

  private let state = Mutex(State())

  init() {}

  /// The topology that was accepted last.
  public var topology: DesiredCluster? { state.withLock { $0.topology } }

  /// A topology is saved.
  /// - Parameter make: makes it with the bytes of its file, which here are only its number.
  func offer(_ make: ([UInt8]) -> DesiredCluster) -> DesiredCluster {
    let number = state.withLock { $0.offered.count }
    let cluster = make([UInt8(number >> 8), UInt8(number & 255)])
    state.withLock { $0.offered.append(cluster) }
    return cluster
  }

  /// From now on entries that the rule picks are lost on the way to the disk, though it says otherwise.
  public func setForgotten(_ rule: (@Sendable (JournalEntry) -> Bool)?) { state.withLock { $0.isForgotten = rule } }

  public func write(_ entries: [JournalEntry], done: @escaping @Sendable (JournalError?) -> Void) {
    state.withLock { $0.waiting.append(Request(entries: entries, done: done)) }
  }

  public func keepTopology(_ bytes: [UInt8]) {
    guard bytes.count == 2 else { return }
    state.withLock { $0.topology = $0.offered[Int(bytes[0]) << 8 | Int(bytes[1])] }
  }

  public func flush() { while writeOne(true) {} }

  /// Lets the disk do the oldest of what waits; false when nothing waits.
  func writeOne(_ isCertain: Bool) -> Bool {
    let next = state.withLock { state -> (Request, Journal, (@Sendable (JournalEntry) -> Bool)?)? in
      guard isCertain, !state.waiting.isEmpty, let journal = state.journal else { return nil }
      return (state.waiting.removeFirst(), journal, state.isForgotten)
    }
    guard let (request, journal, isForgotten) = next else { return false }
    let kept = isForgotten.map { rule in request.entries.filter { !rule($0) } } ?? request.entries
    do throws(JournalError) {
      try journal.append(kept)
      state.withLock { state in
        for entry in request.entries { Self.confirm(entry, &state.confirmed) }
      }
      request.done(nil)
    } catch {
      request.done(error)
    }
    return true
  }

  /// What was confirmed and was not there when the journal was opened again; it is opened once more for that. Nobody may
  /// write any more.
  public func findLosses() -> [String] {
    _ = restore()
    return state.withLock { $0.losses }
  }

  private static func confirm(_ entry: JournalEntry, _ confirmed: inout [JobID: Confirmed]) {
    switch entry {
    case .accepted(let job): confirmed[job.id] = Confirmed()
    case .tokens(let job, let first, let tokens, _): confirmed[job]?.tokenCount = first + tokens.count
    case .ended(let job, _, _), .failed(let job, _): confirmed[job]?.hasEnded = true
    case .nextID: break
    }
  }

  private static func compare(_ jobs: [StoredJob], _ state: inout State) {
    for (id, confirmed) in state.confirmed.sorted(by: { $0.key < $1.key }) {
      let job = jobs.first { $0.id == id }
      if job == nil { state.losses.append("job \(id) is not in the journal any more") }
      guard let job else { continue }
      if job.tokens.count < confirmed.tokenCount {
        state.losses.append(
          "\(job.tokens.count) of the \(confirmed.tokenCount) tokens of job \(id) are left in the journal")
      }
      if confirmed.hasEnded, job.state == .open {
        state.losses.append("the end of job \(id) is not in the journal any more")
      }
    }
  }

  /// The coordinator's process is gone: what it had not written is lost.
  /// - Parameter keep: which byte of what was not synced the disk still took, as a share of 256; nil when the machine
  ///   lives on and nothing else is lost.
  public func crash(keep: UInt8? = nil) {
    state.withLock { state in
      state.waiting = []
      state.journal = nil
      if let keep { state.disk.crash(keep: keep) }
    }
  }

  /// Opens the journal again, as a coordinator does when it starts.
  func restore() -> (jobs: [StoredJob], nextJob: UInt64) {
    state.withLock { state in
      state.waiting = []
      guard let (journal, contents) = try? Journal.open(state.disk) else {
        preconditionFailure("the journal of a simulation cannot be opened")
      }
      state.journal = journal
      Self.compare(contents.jobs, &state)
      return (contents.jobs.sorted { $0.id < $1.id }, max(1, contents.nextID.rawValue))
    }
  }
}

/// A file in memory, of which what was not synced can be lost.
private final class SimulatedDisk: JobDisk {
  private struct State {
    var durable: [UInt8]?
    var visible: [UInt8]?
    var replacement: [UInt8] = []
  }

  private let state = Mutex(State())
  let path: String? = "/simulated/journal"

  func crash(keep: UInt8) {
    state.withLock { state in
      let durable = state.durable ?? []
      let visible = state.visible ?? []
      let unsynced = max(0, visible.count - durable.count)
      state.visible = Array(visible.prefix(durable.count + unsynced * Int(keep) / 256))
      state.durable = state.visible
    }
  }

  func byteCount() throws(JournalError) -> Int? { state.withLock { $0.visible?.count } }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(JournalError) -> Int {
    let bytes = state.withLock { $0.visible ?? [] }
    let count = min(buffer.count, bytes.count - offset)
    buffer.copyBytes(from: bytes[offset..<offset + count])
    return count
  }

  func append(_ bytes: [UInt8]) throws(JournalError) { state.withLock { $0.visible?.append(contentsOf: bytes) } }
  func sync() throws(JournalError) { state.withLock { $0.durable = $0.visible } }
  func truncate(to byteCount: Int) throws(JournalError) {
    state.withLock { $0.visible = $0.visible.map { Array($0.prefix(byteCount)) } }
  }
  func beginReplacement() throws(JournalError) { state.withLock { $0.replacement = [] } }
  func appendToReplacement(_ bytes: [UInt8]) throws(JournalError) { state.withLock { $0.replacement += bytes } }
  func syncReplacement() throws(JournalError) {}
  func installReplacement() throws(JournalError) {
    state.withLock { state in
      state.visible = state.replacement
      state.durable = state.replacement
    }
  }
  func discardReplacement() { state.withLock { $0.replacement = [] } }
}
