private import Synchronization

/// Whoever takes entries to be made durable: the journal itself, at once, or its queue, later and elsewhere.
public protocol JournalWriter: Sendable {
  /// Makes entries durable, all or none of them, and then calls `done`: on any thread, perhaps before this returns.
  /// Calls take effect in their order.
  func write(_ entries: [JournalEntry], done: @escaping @Sendable (Result<Void, JournalError>) -> Void)
}

/// Accepted jobs and their tokens on a disk: what it has taken is there after any crash.
///
/// One journal at a time may be open on a disk. It may be shared between threads, which then wait for each other's
/// writes; `JournalQueue` does not wait.
public final class Journal: JournalWriter {
  private struct State {
    var openJobs: OpenJobs
    /// Bytes that are durable.
    var byteCount: Int
    /// Set when nothing can be written any more.
    var end: JournalError?
  }

  private let disk: any JobDisk
  private let state: Mutex<State>

  /// - Parameter contents: what lies on the disk; its end is torn no more.
  private init(_ disk: any JobDisk, _ contents: JournalContents, byteCount: Int) {
    self.disk = disk
    state = Mutex(State(openJobs: OpenJobs(contents), byteCount: byteCount))
  }

  /// Opens the journal of a disk, and begins one if there is none. A torn end is cut off; a journal of which at most half
  /// is still of use is written anew.
  ///
  /// - Parameter endedJobsMax: most ended jobs to keep; the ones that ended first are forgotten. Jobs that end from now
  ///   on are kept until the journal is opened again.
  /// - Returns: the journal, and what was in it.
  /// - Throws: as `JournalReader.read`, and then nothing was written; `noSpace`, `notWritable` or `io`.
  public static func open(
    _ disk: any JobDisk, endedJobsMax: Int = 1000
  ) throws(JournalError) -> (journal: Journal, contents: JournalContents) {
    guard let contents = try JournalReader.read(disk, endedJobsMax: endedJobsMax) else {
      try disk.beginReplacement()
      try disk.appendToReplacement(RecordFormat.fileHeader)
      try disk.syncReplacement()
      try disk.installReplacement()
      let contents = try JournalReader.read(RecordFormat.fileHeader)
      return (Journal(disk, contents, byteCount: contents.goodByteCount), contents)
    }
    if 2 * Compaction.byteCount(contents) <= contents.byteCount, let byteCount = try Compaction.run(contents, disk) {
      return (Journal(disk, contents, byteCount: byteCount), contents)
    }
    if contents.tornByteCount > 0 {
      try disk.truncate(to: contents.goodByteCount)
      try disk.sync()
    }
    return (Journal(disk, contents, byteCount: contents.goodByteCount), contents)
  }

  /// Bytes of the journal.
  public var byteCount: Int { state.withLock { $0.byteCount } }

  /// Makes entries durable, all or none of them: one write, one sync.
  ///
  /// - Throws: `overLimit` or `contradiction` when the journal could not be read with them (nothing was written);
  ///   `noSpace`, `notWritable` or `io` when the disk refuses (what was written is cut off again); `closed` when it could
  ///   not be cut off, now or earlier. After a failure that is not `closed` one may try again.
  public func append(_ entries: [JournalEntry]) throws(JournalError) {
    if let error = append(groups: [entries])[0] { throw error }
  }

  /// Appends at once, and then calls `done`.
  public func write(_ entries: [JournalEntry], done: @escaping @Sendable (Result<Void, JournalError>) -> Void) {
    done(append(groups: [entries])[0].map { .failure($0) } ?? .success(()))
  }

  /// Makes several groups of entries durable, each all or not at all, with as few syncs as the limits allow.
  /// - Returns: what went wrong with each group.
  func append(groups: [[JournalEntry]]) -> [JournalError?] {
    state.withLock { state in
      var errors = [JournalError?](repeating: nil, count: groups.count)
      var batch = Batch(openJobs: state.openJobs)
      for (index, group) in groups.enumerated() {
        if let end = state.end {
          errors[index] = end
          continue
        }
        if batch.byteCount + Batch.byteCount(group) > JournalLimits.payloadBytes {
          write(&batch, &state, &errors)
        }
        do throws(JournalError) {
          try batch.add(group, index: index)
        } catch {
          errors[index] = error.of(disk.path)
        }
      }
      write(&batch, &state, &errors)
      return errors
    }
  }

  /// Writes what is in the batch as one record, and empties it.
  private func write(_ batch: inout Batch, _ state: inout State, _ errors: inout [JournalError?]) {
    if !batch.entries.isEmpty {
      do throws(JournalError) {
        try write(batch.entries, &state)
        state.openJobs = batch.openJobs
      } catch {
        for index in batch.indices { errors[index] = error }
      }
    }
    batch = Batch(openJobs: state.openJobs)
  }

  private func write(_ entries: [JournalEntry], _ state: inout State) throws(JournalError) {
    let record = RecordFormat.encode(entries, at: state.byteCount)
    do throws(JournalError) {
      try disk.append(record)
      try disk.sync()
    } catch {
      do throws(JournalError) {
        try disk.truncate(to: state.byteCount)
        try disk.sync()
      } catch let second {
        state.end = JournalError(
          .closed,
          "the journal could not be written (\(error.message)), nor what was written be taken back (\(second.message)); nothing is written any more until shoal is started again",
          path: disk.path)
      }
      throw state.end ?? error
    }
    state.byteCount += record.count
  }
}

/// Groups of entries that go into one record.
private struct Batch {
  var entries: [JournalEntry] = []
  var byteCount = 0
  /// Numbers of the groups.
  var indices: [Int] = []
  /// The jobs as they are once the record is written.
  var openJobs: OpenJobs

  init(openJobs: OpenJobs) { self.openJobs = openJobs }

  static func byteCount(_ group: [JournalEntry]) -> Int { group.reduce(0) { $0 + $1.encodedByteCount } }

  /// Adds a group; when it throws, nothing of it.
  mutating func add(_ group: [JournalEntry], index: Int) throws(JournalError) {
    let groupBytes = Self.byteCount(group)
    guard byteCount + groupBytes <= JournalLimits.payloadBytes else {
      throw JournalError(
        .overLimit, "\(groupBytes) bytes are to be written at once, \(JournalLimits.payloadBytes) are allowed")
    }
    var trial = openJobs
    for entry in group {
      try entry.validate()
      try trial.apply(entry)
    }
    openJobs = trial
    entries += group
    byteCount += groupBytes
    indices.append(index)
  }
}
