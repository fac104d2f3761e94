import Testing

@testable import JobStore

@Suite("JournalWindow")
struct JournalWindowTests {
  @Test("it lends the bytes of the file wherever it is moved")
  func moves() throws {
    var random = SplitMix(1)
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
    let disk = SimulatedDisk(bytes)
    var window = JournalWindow(byteCount: bytes.count) { (offset, buffer) throws(JournalError) in
      try disk.read(at: offset, into: buffer)
    }
    for _ in 0..<60 {
      let offset = random.next(below: bytes.count)
      let count = random.next(below: min(2_000_000, bytes.count - offset))
      #expect(try window.load(at: offset, count: count))
      #expect(window.withBytes(at: offset, count: count) { $0.elementsEqual(bytes[offset..<offset + count]) })
    }
    #expect(try !window.load(at: bytes.count - 1, count: 2))
    #expect(try window.load(at: bytes.count, count: 0))
  }

  @Test("a file that has become shorter is an error")
  func shorter() {
    var window = JournalWindow(byteCount: 100) { (_, buffer) throws(JournalError) in buffer.count - 1 }
    let error = caught { _ = try window.load(at: 10, count: 20) }
    #expect(error?.code == .io && error?.offset == 99)
  }
}
