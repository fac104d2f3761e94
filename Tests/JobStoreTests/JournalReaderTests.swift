import Tensors
import Testing

@testable import JobStore

@Suite("JournalReader")
struct JournalReaderTests {
  @Test("a journal cut off at any byte gives what was whole before, or is refused")
  func truncation() throws {
    let (bytes, ends, books) = try Samples.journal()
    for cut in 0...bytes.count {
      let part = Array(bytes[..<cut])
      guard cut >= RecordFormat.fileHeader.count else {
        #expect(caught { _ = try JournalReader.read(part) }?.code == .notAJournal)
        continue
      }
      let whole = (ends.firstIndex { $0 > cut } ?? ends.count) - 1
      // Some file systems leave zeros where bytes were not written.
      for zeros in [0, 1, 40, 5000] {
        let contents = try JournalReader.read(part + [UInt8](repeating: 0, count: zeros))
        // Zeros may happen to be what was cut off.
        if zeros > 0, contents.goodByteCount > cut { continue }
        #expect(contents.goodByteCount == ends[whole] && contents.tornByteCount == cut + zeros - ends[whole])
        #expect(contents.jobs == books[whole].sorted && contents.nextID == books[whole].nextID)
      }
    }
  }

  @Test("any byte changed is refused with the offset of its record, but in the last record, which is dropped")
  func flips() throws {
    let (bytes, ends, books) = try Samples.journal()
    for place in bytes.indices {
      for mask in [UInt8(0xFF), 1, 0x10, 0x80] {
        var changed = bytes
        changed[place] ^= mask
        if place < ends[0] {
          let code = caught { _ = try JournalReader.read(changed) }?.code
          #expect(code == (place < 8 ? .notAJournal : .unknownVersion))
        } else if place < ends[ends.count - 2] {
          let record = ends.lastIndex { $0 <= place } ?? 0
          let error = caught { _ = try JournalReader.read(changed) }
          #expect(error?.code == .damaged && error?.offset == ends[record], "byte \(place)")
        } else {
          let contents = try JournalReader.read(changed)
          #expect(contents.goodByteCount == ends[ends.count - 2])
          #expect(contents.jobs == books[books.count - 2].sorted)
        }
      }
    }
  }

  @Test("a record behind a bad one makes it the middle, even if it is damaged too, and so does one from elsewhere")
  func middle() throws {
    let (bytes, ends, _) = try Samples.journal()
    let last = ends[ends.count - 2]
    let one = ends[ends.count - 3]
    var bothDamaged = bytes
    bothDamaged[one + 30] ^= 1
    bothDamaged[last + 30] ^= 1
    let error = caught { _ = try JournalReader.read(bothDamaged) }
    #expect(error?.code == .damaged && error?.offset == one)
    #expect(error?.message.contains("byte \(last)") == true)
    // Cut off inside its head, the last one is no sign of anything.
    #expect(try JournalReader.read(Array(bothDamaged[..<(last + 20)])).goodByteCount == one)
    // A record twice, and one left out: each whole, at another place than it was written for.
    let doubled = caught { _ = try JournalReader.read(bytes + bytes[ends[0]..<ends[1]]) }
    #expect(doubled?.code == .damaged && doubled?.offset == bytes.count)
    for index in 0..<(ends.count - 2) {
      let error = caught { _ = try JournalReader.read(Array(bytes[..<ends[index]] + bytes[ends[index + 1]...])) }
      #expect(error?.code == .damaged && error?.offset == ends[index])
    }
  }

  @Test("wild lengths in a head or a payload, with right checksums, are refused without being used")
  func wildLengths() throws {
    let start = RecordFormat.fileHeader
    for wild in [UInt32.max, 1 << 31, UInt32(JournalLimits.payloadBytes) + 1, UInt32(JournalLimits.payloadBytes), 17] {
      let record = Samples.record([1, 2, 3], count: 0, at: start.count, payloadBytes: wild)
      #expect(try JournalReader.read(start + record).goodByteCount == start.count)
    }
    for count in [3, Int(UInt32.max)] {
      let record = Samples.record(Samples.encoded(.nextID(JobID(rawValue: 4))), count: count, at: start.count)
      #expect(try JournalReader.read(start + record).goodByteCount == start.count)
    }
    let tooFew = Samples.record(Samples.encoded(.nextID(JobID(rawValue: 4))), count: 0, at: start.count)
    let error = caught { _ = try JournalReader.read(start + tooFew) }
    #expect(error?.code == .badFormat && error?.offset == start.count + RecordFormat.headBytes)
    let wildEntry = Samples.record([0xFF, 0xFF, 0xFF, 0xFF, 2, 0, 0, 0], count: 1, at: start.count)
    #expect(caught { _ = try JournalReader.read(start + wildEntry) }?.code == .badFormat)
  }

  @Test("an entry that contradicts the earlier ones is refused with its own offset, also in the last record")
  func contradiction() throws {
    let id = JobID(rawValue: 3)
    let entries: [JournalEntry] = [.nextID(id), .tokens(id, first: 0, tokens: [1], logProbabilities: [0])]
    let bytes = RecordFormat.fileHeader + RecordFormat.encode(entries, at: RecordFormat.fileHeader.count)
    let error = caught { _ = try JournalReader.read(bytes) }
    #expect(error?.code == .contradiction)
    #expect(error?.offset == RecordFormat.fileHeader.count + RecordFormat.headBytes + entries[0].encodedByteCount)
    #expect(error?.message.contains("truncate") == true)
    #expect(caught { _ = try JournalReader.read(SimulatedDisk(bytes)) }?.path == "/simulated/journal")
  }

  @Test("random bytes behind a journal are never taken for a record")
  func noise() throws {
    let (bytes, _, books) = try Samples.journal()
    var random = SplitMix(11)
    for _ in 0..<200 {
      let noise = (0..<random.next(below: 300)).map { _ in
        random.next(below: 3) == 0 ? RecordFormat.mark[random.next(below: 4)] : UInt8(random.next(below: 256))
      }
      #expect(try JournalReader.read(bytes + noise).jobs == books[books.count - 1].sorted)
    }
  }

  @Test("a big journal is read once, and a bad end of it at most twice")
  func linear() throws {
    var bytes = RecordFormat.fileHeader
    var random = SplitMix(12)
    bytes += RecordFormat.encode([.accepted(Samples.job(1, &random))], at: bytes.count)
    var count = 0
    for index in 0..<4000 {
      // Records of all sizes, some larger than what is read at a time.
      let size = index == 2000 ? 300_000 : random.next(below: 500)
      bytes += RecordFormat.encode([Samples.answer(1, first: count, size, &random)], at: bytes.count)
      count += size
    }
    let whole = SimulatedDisk(bytes)
    #expect(try JournalReader.read(whole)?.jobs.first?.tokens.count == count)
    #expect(whole.bytesRead <= bytes.count + JournalWindow.chunkBytes)
    // Bytes like the mark everywhere, and a huge record that is not whole.
    let marks = (0..<(3 << 20)).map { RecordFormat.mark[$0 % 4] }
    let torn = SimulatedDisk(bytes + Samples.record(marks, count: 1, at: bytes.count).dropLast())
    #expect(try JournalReader.read(torn)?.goodByteCount == bytes.count)
    #expect(torn.bytesRead <= bytes.count + 2 * marks.count + 2 * JournalWindow.chunkBytes)
  }
}
