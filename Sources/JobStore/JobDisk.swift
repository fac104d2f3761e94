/// The file that a journal lies in, and what one can ask of it: the system's, or a test's that crashes.
///
/// Only the journal that was opened on it calls it, one call at a time. What was appended is volatile until `sync` has
/// returned: after a crash any part of it may be there. What `sync` has returned for survives every crash.
public protocol JobDisk: Sendable {
  /// Where the file is, for messages; nil when it is nowhere.
  var path: String? { get }
  /// Bytes of the file, those not yet synced included; nil when there is no file.
  func byteCount() throws(JournalError) -> Int?
  /// Reads from `offset` on until the buffer is full or the file ends.
  /// - Returns: the bytes read.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(JournalError) -> Int
  /// Adds bytes at the end. When it throws, some of them may be there.
  func append(_ bytes: [UInt8]) throws(JournalError)
  /// Returns when everything appended, and the file's length, survive a crash.
  func sync() throws(JournalError)
  /// Cuts the file; volatile until the next `sync`.
  func truncate(to byteCount: Int) throws(JournalError)
  /// Begins an empty file beside the journal; one that an earlier attempt left is replaced.
  func beginReplacement() throws(JournalError)
  /// Adds bytes to the file beside the journal.
  func appendToReplacement(_ bytes: [UInt8]) throws(JournalError)
  /// Returns when the file beside the journal survives a crash.
  func syncReplacement() throws(JournalError)
  /// Puts the file beside the journal in its place. After a crash in the midst of it the journal is either the old file
  /// or the new one, whole; once it has returned, the new one. When it throws, that is open, and nothing may be
  /// appended any more.
  func installReplacement() throws(JournalError)
  /// Removes the file beside the journal, as far as possible.
  func discardReplacement()
}
