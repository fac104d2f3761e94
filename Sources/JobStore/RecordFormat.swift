/// How records lie in the journal, and its header; docs/journal.md says every byte.
///
/// A record holds the entries that were made durable together. It is written at once and synced before the next one is
/// written, so that at most the last record can be torn.
enum RecordFormat {
  static let version: UInt32 = 1
  /// `SHOALJNL`, the version, four zeros.
  static let fileHeader: [UInt8] = {
    var bytes = Array("SHOALJNL".utf8)
    bytes.append(integer: version)
    bytes.append(integer: UInt32(0))
    return bytes
  }()

  /// How each record begins. No byte is zero, as the highest of a token is, and the first never occurs in UTF-8: neither a
  /// prompt nor a reason can look like a record.
  static let mark: [UInt8] = [0xF5, 0x4A, 0x52, 0xF6]
  /// Mark, bytes of the payload, place in the file, number of entries, checksum of these.
  static let headBytes = 24
  /// The checksum of head and payload.
  static let tailBytes = 8

  struct Head: Equatable {
    /// Where the record was written, in bytes of the file.
    let place: Int
    let payloadBytes: Int
    let entryCount: Int
    /// Bytes of the whole record.
    var byteCount: Int { headBytes + payloadBytes + tailBytes }
  }

  /// The head at the start of `bytes`; nil unless its checksum is right and its numbers are within their limits.
  ///
  /// Since it names its place, records that were moved, doubled or left out are noticed.
  static func head(_ bytes: UnsafeRawBufferPointer) -> Head? {
    guard bytes.count >= headBytes, bytes[..<4].elementsEqual(mark),
      bytes.integer(at: 20, as: UInt32.self) == Checksums.crc32c(UnsafeRawBufferPointer(rebasing: bytes[..<20])),
      let place = Int(exactly: bytes.integer(at: 8, as: UInt64.self))
    else { return nil }
    let payloadBytes = bytes.integer(at: 4, as: UInt32.self)
    let entryCount = bytes.integer(at: 16, as: UInt32.self)
    guard payloadBytes <= JournalLimits.payloadBytes, Int(entryCount) <= Int(payloadBytes) / EntryFormat.headBytes
    else { return nil }
    return Head(place: place, payloadBytes: Int(payloadBytes), entryCount: Int(entryCount))
  }

  /// Whether the checksum at the end of a whole record is right.
  static func isIntact(_ record: UnsafeRawBufferPointer) -> Bool {
    guard record.count >= headBytes + tailBytes else { return false }
    let body = UnsafeRawBufferPointer(rebasing: record.dropLast(tailBytes))
    return record.integer(at: body.count, as: UInt64.self) == Checksums.crc64(body)
  }

  /// A record for a place in the file, of entries that are valid and fit it.
  static func encode(_ entries: [JournalEntry], at offset: Int) -> [UInt8] {
    let payloadBytes = entries.reduce(0) { $0 + $1.encodedByteCount }
    precondition(payloadBytes <= JournalLimits.payloadBytes, "more than a record may hold")
    var bytes: [UInt8] = []
    bytes.reserveCapacity(headBytes + payloadBytes + tailBytes)
    bytes.append(contentsOf: mark)
    bytes.append(integer: UInt32(payloadBytes))
    bytes.append(integer: UInt64(offset))
    bytes.append(integer: UInt32(entries.count))
    bytes.append(integer: bytes.withUnsafeBytes { Checksums.crc32c($0) })
    for entry in entries { EntryFormat.append(entry, to: &bytes) }
    bytes.append(integer: bytes.withUnsafeBytes { Checksums.crc64($0) })
    return bytes
  }
}

extension UnsafeRawBufferPointer {
  /// A little-endian integer inside the buffer.
  fileprivate func integer<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: T.Type) -> T {
    T(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}
