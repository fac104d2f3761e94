import Coordinator
import JobStore
import Tensors
import Wire

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What a coordinator keeps from one start to the next: who it is, its durable jobs, the last accepted topology.
struct CoordinatorState: Sendable {
  let folder: StateFolder
  /// With the term of this start.
  let identity: ClusterIdentity
  let journal: StateJournal
  /// Jobs of earlier starts.
  let jobs: [StoredJob]
  let nextJob: UInt64

  /// Takes the folder for this process, and raises the term.
  /// - Parameter path: nil for the default.
  init(path: String?) throws {
    guard let path = path ?? StateFolder.defaultPath(environment: StateEnvironment.variables) else {
      throw InputError(.usage, "no state folder: neither XDG_STATE_HOME nor HOME is set; give --state DIR")
    }
    folder = try StateFolder(path)
    let known = try folder.loadIdentity()
    guard known.map({ $0.term.rawValue < .max }) ?? true else {
      throw InputError(.badData, "\(path): the file \"cluster\" has a term beyond all terms; remove the file")
    }
    let fresh = ClusterID.random()
    let identity = ClusterIdentity(
      high: known?.high ?? fresh.high, low: known?.low ?? fresh.low,
      term: CoordinatorTerm(rawValue: (known?.term.rawValue ?? 0) + 1))
    try folder.storeIdentity(identity)
    self.identity = identity
    let (journal, contents) = try Journal.open(folder.journalFile())
    if contents.tornByteCount > 0 {
      Console.error(
        "shoal: the last \(contents.tornByteCount) bytes of the journal were not written completely and are cut off")
    }
    self.journal = StateJournal(folder: folder, queue: JournalQueue(journal))
    jobs = contents.jobs.sorted { $0.id < $1.id }
    nextJob = max(1, contents.nextID.rawValue)
  }
}

/// The journal as the coordinator's shell writes it.
struct StateJournal: JobJournal, Sendable {
  let folder: StateFolder
  let queue: JournalQueue

  func write(_ entries: [JournalEntry], done: @escaping @Sendable (JournalError?) -> Void) {
    queue.write(entries) { result in
      switch result {
      case .success: done(nil)
      case .failure(let error): done(error)
      }
    }
  }

  func keepTopology(_ bytes: [UInt8]) {
    do {
      try folder.storeTopology(bytes)
    } catch {
      Console.error("shoal: the accepted topology cannot be kept: \(error)")
    }
  }

  func flush() { queue.drain() }
}

private enum StateEnvironment {
  static var variables: [String: String] {
    var result: [String: String] = [:]
    for name in ["XDG_STATE_HOME", "HOME"] {
      if let value = getenv(name) { result[name] = String(cString: value) }
    }
    return result
  }
}

/// The time of day.
enum WallClock {
  /// Since 1970.
  static var milliseconds: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(max(0, time.tv_sec)) * 1000 + UInt64(time.tv_nsec) / 1_000_000
  }
}
