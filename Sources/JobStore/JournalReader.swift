import Tensors

/// What a journal says.
public struct JournalContents: Sendable {
  /// Every open job, and the kept ones that ended, by id.
  public let jobs: [StoredJob]
  /// The lowest id that was never given.
  public let nextID: JobID
  /// Bytes of the journal.
  public let byteCount: Int
  /// Bytes of the journal up to the end of its last whole record.
  public let goodByteCount: Int
  /// The jobs among these that ended or failed, in that order.
  public let endOrder: [JobID]

  /// Bytes at the end that a crash cut off while they were written; nobody was told that they are safe.
  public var tornByteCount: Int { byteCount - goodByteCount }
}

/// Reads journals, from the first record to the last, without holding more than one record at a time.
///
/// A bad record is where a crash cut the last write off, and dropped, if no head of a record, with its mark and its
/// checksum, begins anywhere behind it. A record is only ever begun after the one before it is on the disk; if there is
/// one, durable bytes were damaged later, and the journal is refused.
public enum JournalReader {
  /// Reads a journal that is in memory.
  /// - Parameter endedJobsMax: most ended jobs to keep; the ones that ended first are forgotten.
  /// - Throws: as the other `read`.
  public static func read(_ bytes: [UInt8], endedJobsMax: Int = .max) throws(JournalError) -> JournalContents {
    let window = JournalWindow(byteCount: bytes.count) { offset, buffer in
      let count = min(buffer.count, bytes.count - offset)
      buffer.copyBytes(from: bytes[offset..<offset + count])
      return count
    }
    return try read(window, endedJobsMax: endedJobsMax, path: nil)
  }

  /// Reads a journal; nothing is written.
  /// - Parameter endedJobsMax: most ended jobs to keep; the ones that ended first are forgotten.
  /// - Returns: nil when there is none.
  /// - Throws: `notAJournal` or `unknownVersion` when the file begins otherwise; `damaged`, `badFormat` or
  ///   `contradiction`, with the offset, when a record cannot be used though others follow or its checksum is right;
  ///   `io` or `notWritable` when the file cannot be read.
  public static func read(_ disk: any JobDisk, endedJobsMax: Int = .max) throws(JournalError) -> JournalContents? {
    guard let byteCount = try disk.byteCount() else { return nil }
    let window = JournalWindow(byteCount: byteCount) { (offset, buffer) throws(JournalError) in
      try disk.read(at: offset, into: buffer)
    }
    return try read(window, endedJobsMax: endedJobsMax, path: disk.path)
  }

  static let advice =
    "restore the journal from a copy; or keep a copy and cut it there (truncate -s OFFSET FILE), which loses all that follows"

  private static func read(
    _ source: consuming JournalWindow, endedJobsMax: Int, path: String?
  ) throws(JournalError) -> JournalContents {
    var window = source
    var book = JobBook(endedJobsMax: endedJobsMax)
    do throws(JournalError) {
      let good = try replay(&window, into: &book)
      return JournalContents(
        jobs: book.jobs.values.sorted { $0.id < $1.id }, nextID: book.nextID, byteCount: window.byteCount,
        goodByteCount: good, endOrder: Array(book.endOrder))
    } catch {
      throw error.of(path)
    }
  }

  /// Returns where the last whole record ends.
  private static func replay(_ window: inout JournalWindow, into book: inout JobBook) throws(JournalError) -> Int {
    try checkHeader(&window)
    var offset = RecordFormat.fileHeader.count
    while offset < window.byteCount {
      guard let head = try intactRecord(&window, at: offset) else {
        guard let error = try damage(&window, at: offset) else { return offset }
        throw error
      }
      let entries = try window.withBytes(at: offset, count: head.byteCount) { bytes throws(JournalError) in
        let payload = bytes[RecordFormat.headBytes..<RecordFormat.headBytes + head.payloadBytes]
        return try read(
          UnsafeRawBufferPointer(rebasing: payload), count: head.entryCount, base: offset + RecordFormat.headBytes)
      }
      for (entry, place) in entries {
        do throws(JournalError) {
          try book.apply(entry)
        } catch {
          throw JournalError(error.code, "\(error.message); \(advice)", offset: place)
        }
      }
      offset += head.byteCount
    }
    return offset
  }

  private static func checkHeader(_ window: inout JournalWindow) throws(JournalError) {
    let header = RecordFormat.fileHeader
    let count = min(header.count, window.byteCount)
    _ = try window.load(at: 0, count: count)
    let found = window.withBytes(at: 0, count: count) { Array($0) }
    let hint = "if it is of no use, move it away, and shoal begins a new one"
    guard found.count == header.count, found[..<8] == header[..<8] else {
      throw JournalError(.notAJournal, "this is no journal of jobs; \(hint)", offset: 0)
    }
    guard found == header else {
      throw JournalError(
        .unknownVersion, "the journal is not of version \(RecordFormat.version), the only one known here; \(hint)",
        offset: 8)
    }
  }

  /// The head of the record at `offset`, loaded into the window; nil if it is not whole.
  private static func intactRecord(
    _ window: inout JournalWindow, at offset: Int
  ) throws(JournalError) -> RecordFormat.Head? {
    guard try window.load(at: offset, count: RecordFormat.headBytes),
      let head = window.withBytes(at: offset, count: RecordFormat.headBytes, RecordFormat.head),
      head.place == offset, try window.load(at: offset, count: head.byteCount),
      window.withBytes(at: offset, count: head.byteCount, { RecordFormat.isIntact($0) })
    else { return nil }
    return head
  }

  /// Why the bad record at `offset` is not the end that a crash cut off; nil if it is.
  private static func damage(_ window: inout JournalWindow, at offset: Int) throws(JournalError) -> JournalError? {
    guard let next = try nextHead(&window, from: offset) else { return nil }
    // The one head that may be here is that of the record that was being written.
    if next.offset == offset, next.head.place == offset {
      guard let later = try nextHead(&window, from: offset + 1) else { return nil }
      return damage(at: offset, "a record is damaged, and it is not the last: another begins at byte \(later.offset)")
    }
    return damage(
      at: offset,
      next.offset == offset
        ? "a record was written for byte \(next.head.place) and is not there"
        : "a record is damaged, and it is not the last: another begins at byte \(next.offset)")
  }

  private static func damage(at offset: Int, _ message: String) -> JournalError {
    JournalError(.damaged, "\(message); \(advice)", offset: offset)
  }

  /// The next head of a record, and where it is.
  private static func nextHead(
    _ window: inout JournalWindow, from start: Int
  ) throws(JournalError) -> (offset: Int, head: RecordFormat.Head)? {
    let first = RecordFormat.mark[0]
    var offset = start
    while offset + RecordFormat.headBytes <= window.byteCount {
      let count = min(JournalWindow.chunkBytes, window.byteCount - offset)
      _ = try window.load(at: offset, count: count)
      let base = offset
      let found = window.withBytes(at: offset, count: count) { bytes -> (Int, RecordFormat.Head)? in
        for index in 0...(count - RecordFormat.headBytes) where bytes[index] == first {
          if let head = RecordFormat.head(UnsafeRawBufferPointer(rebasing: bytes[index...])) {
            return (base + index, head)
          }
        }
        return nil
      }
      if let found { return found }
      offset += count - RecordFormat.headBytes + 1
    }
    return nil
  }

  /// The entries of a record, with the byte of the file at which each begins.
  private static func read(
    _ payload: UnsafeRawBufferPointer, count: Int, base: Int
  ) throws(JournalError) -> [(JournalEntry, Int)] {
    var reader = EntryReader(payload, base: base)
    var entries: [(JournalEntry, Int)] = []
    entries.reserveCapacity(count)
    for _ in 0..<count {
      let place = reader.offset
      entries.append((try reader.entry(), place))
    }
    try reader.finish()
    return entries
  }
}
