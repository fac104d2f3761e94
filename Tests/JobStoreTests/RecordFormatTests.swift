import Testing

@testable import JobStore

@Suite("RecordFormat")
struct RecordFormatTests {
  @Test("header, head and checksum are those of docs/journal.md")
  func golden() {
    #expect(RecordFormat.fileHeader == Array("SHOALJNL".utf8) + [1, 0, 0, 0, 0, 0, 0, 0])
    let record = RecordFormat.encode([.nextID(JobID(rawValue: 2))], at: 16)
    let head: [UInt8] = [0xF5, 0x4A, 0x52, 0xF6, 16, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    #expect(Array(record[..<20]) == head)
    #expect(Array(record[24..<40]) == [8, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0])
    #expect(record.count == 48)
    #expect(Array(record[20..<24]) == Self.headChecksum)
    #expect(Array(record[40...]) == Self.recordChecksum)
  }

  /// Made by another program, a bit at a time, from the bytes above.
  private static let headChecksum: [UInt8] = [0xEC, 0x56, 0x12, 0x5A]
  private static let recordChecksum: [UInt8] = [0x7A, 0x31, 0x56, 0xFD, 0xBD, 0x45, 0x2E, 0x3A]

  @Test("a head names its place; a record cut off anywhere is not intact")
  func place() {
    let record = RecordFormat.encode([.nextID(JobID(rawValue: 2))], at: 16)
    record.withUnsafeBytes { bytes in
      #expect(RecordFormat.head(bytes) == RecordFormat.Head(place: 16, payloadBytes: 16, entryCount: 1))
      #expect(RecordFormat.head(UnsafeRawBufferPointer(rebasing: bytes[1...])) == nil)
      #expect(RecordFormat.isIntact(bytes))
      #expect(!RecordFormat.isIntact(UnsafeRawBufferPointer(rebasing: bytes.dropLast())))
      #expect(!RecordFormat.isIntact(UnsafeRawBufferPointer(rebasing: bytes[..<20])))
    }
  }
}
