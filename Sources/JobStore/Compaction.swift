import Tensors

/// Writes a journal anew with only what is still of use.
enum Compaction {
  /// Bytes of entries after which a record is closed; only an entry that is larger itself makes a larger one.
  private static let recordBytes = 1 << 20
  /// Tokens of an answer in one entry.
  private static let entryTokens = 1 << 16

  /// Bytes that the journal would have, or a few more.
  static func byteCount(_ contents: JournalContents) -> Int {
    var payload = 0
    forEachEntry(contents) { payload += $0.encodedByteCount }
    // Two records that follow each other hold more than `recordBytes` together.
    let records = 2 * (payload / recordBytes) + 1
    return RecordFormat.fileHeader.count + payload + records * (RecordFormat.headBytes + RecordFormat.tailBytes)
  }

  /// Writes the journal anew, beside the old one, and puts it in its place.
  /// - Returns: its bytes; nil when it could not be written and the old one is still there.
  /// - Throws: what `installReplacement` throws.
  static func run(_ contents: JournalContents, _ disk: any JobDisk) throws(JournalError) -> Int? {
    let byteCount: Int
    do throws(JournalError) {
      byteCount = try write(contents, disk)
      try disk.syncReplacement()
    } catch {
      // A disk too full for a second journal is no reason not to use the first.
      disk.discardReplacement()
      return nil
    }
    try disk.installReplacement()
    return byteCount
  }

  private static func write(_ contents: JournalContents, _ disk: any JobDisk) throws(JournalError) -> Int {
    try disk.beginReplacement()
    try disk.appendToReplacement(RecordFormat.fileHeader)
    var offset = RecordFormat.fileHeader.count
    var entries: [JournalEntry] = []
    var payload = 0
    func close() throws(JournalError) {
      guard !entries.isEmpty else { return }
      let record = RecordFormat.encode(entries, at: offset)
      try disk.appendToReplacement(record)
      offset += record.count
      entries = []
      payload = 0
    }
    try forEachEntry(contents) { entry throws(JournalError) in
      if payload + entry.encodedByteCount > recordBytes { try close() }
      entries.append(entry)
      payload += entry.encodedByteCount
    }
    try close()
    return offset
  }

  /// The jobs by id, as ids may only rise; then the ends in their order, which says who is forgotten next; then the next
  /// id, which the last job may not tell.
  private static func forEachEntry<Failure: Error>(
    _ contents: JournalContents, _ body: (JournalEntry) throws(Failure) -> Void
  ) throws(Failure) {
    var ends: [JobID: JournalEntry] = [:]
    for job in contents.jobs {
      try body(.accepted(job.accepted))
      for first in stride(from: 0, to: job.tokens.count, by: entryTokens) {
        let range = first..<min(first + entryTokens, job.tokens.count)
        try body(
          .tokens(
            job.id, first: first, tokens: Array(job.tokens[range]),
            logProbabilities: Array(job.logProbabilities[range])))
      }
      switch job.state {
      case .open: break
      case .ended(let reason, let times): ends[job.id] = .ended(job.id, reason, times)
      case .failed(let reason): ends[job.id] = .failed(job.id, reason: reason)
      }
    }
    for id in contents.endOrder {
      if let end = ends[id] { try body(end) }
    }
    try body(.nextID(contents.nextID))
  }
}
