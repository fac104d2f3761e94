import Scheduling
import Tensors

@testable import JobStore

/// SplitMix64: a small generator whose whole state is its seed.
struct SplitMix {
  var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }

  /// A number from 0 to `bound - 1`.
  mutating func next(below bound: Int) -> Int { Int(next() % UInt64(bound)) }

  /// A number from 0 to 1.
  mutating func unit() -> Float { Float(next() >> 40) / Float(1 << 24) }
}

enum Samples {
  static func job(_ id: UInt64, prompt: Int = 3, _ random: inout SplitMix) -> AcceptedJob {
    let digest = (0..<Digest.byteCount).map { _ in UInt8(random.next(below: 256)) }
    return AcceptedJob(
      id: JobID(rawValue: id), created: Int64(random.next(below: 1 << 40)),
      model: Digest(bytes: digest) ?? Digest(bytes: [UInt8](repeating: 0, count: 32))!,
      numericsVersion: UInt32(random.next(below: 9)), kvType: KVType.allCases[random.next(below: 3)],
      combine: CombineMode.allCases[random.next(below: 2)], promptTokens: tokens(prompt, &random),
      sampling: SamplingParameters(
        temperature: random.unit(), topK: random.next(below: 99), topP: random.unit(), minP: random.unit(),
        repeatPenalty: random.unit(), frequencyPenalty: -random.unit(), presencePenalty: random.unit(),
        penaltyWindow: random.next(below: 4096), seed: random.next()),
      maxTokens: random.next(below: 1000), ignoreEOS: random.next(below: 2) == 0)
  }

  static func tokens(_ count: Int, _ random: inout SplitMix) -> [TokenID] {
    (0..<count).map { _ in TokenID(UInt32(random.next(below: 200_000))) }
  }

  static func answer(_ id: UInt64, first: Int, _ count: Int, _ random: inout SplitMix) -> JournalEntry {
    .tokens(
      JobID(rawValue: id), first: first, tokens: tokens(count, &random),
      logProbabilities: (0..<count).map { _ in -random.unit() })
  }

  static func times(_ random: inout SplitMix) -> JobTimes {
    JobTimes(
      queue: Double(random.unit()), prefill: Double(random.unit()), decode: Double(random.unit()),
      firstToken: random.next(below: 2) == 0 ? nil : Double(random.unit()), stageCount: random.next(below: 9),
      nodeCount: random.next(below: 9))
  }

  /// Entries that fit what the book says, one group at a time.
  static func group(_ book: JobBook, _ random: inout SplitMix) -> [JournalEntry] {
    var book = book
    return (0...random.next(below: 3)).compactMap { _ in
      let entry = entry(book, &random)
      return (try? book.apply(entry)) == nil ? nil : entry
    }
  }

  private static func entry(_ book: JobBook, _ random: inout SplitMix) -> JournalEntry {
    let open = book.jobs.values.filter { $0.state == .open }.sorted { $0.id < $1.id }
    let next = book.nextID.rawValue + UInt64(random.next(below: 2))
    guard !open.isEmpty else { return .accepted(job(next, prompt: random.next(below: 6), &random)) }
    let chosen = open[random.next(below: open.count)]
    switch random.next(below: 10) {
    case 0...1: return .accepted(job(next, prompt: random.next(below: 6), &random))
    case 2: return .ended(chosen.id, EntryFormat.reasons[random.next(below: 3)], times(&random))
    case 3: return .failed(chosen.id, reason: "no such model: mündung")
    case 4: return .nextID(JobID(rawValue: next))
    default: return answer(chosen.id.rawValue, first: chosen.tokens.count, random.next(below: 5), &random)
    }
  }

  /// A journal of several jobs in all states, and what it says up to the end of each record, the header's first.
  static func journal() throws -> (bytes: [UInt8], ends: [Int], books: [JobBook]) {
    var random = SplitMix(7)
    var bytes = RecordFormat.fileHeader
    var book = JobBook(endedJobsMax: .max)
    var ends = [bytes.count]
    var books = [book]
    let groups: [[JournalEntry]] = [
      [.accepted(job(1, &random))],
      [answer(1, first: 0, 2, &random), .accepted(job(2, prompt: 5, &random)), .nextID(JobID(rawValue: 5))],
      [answer(2, first: 0, 1, &random)],
      [.ended(JobID(rawValue: 1), .length, times(&random)), answer(2, first: 1, 3, &random)],
      [.accepted(job(9, prompt: 0, &random))],
      [.failed(JobID(rawValue: 9), reason: "the model is another one"), answer(2, first: 4, 1, &random)],
    ]
    for group in groups {
      bytes += RecordFormat.encode(group, at: bytes.count)
      for entry in group { try book.apply(entry) }
      ends.append(bytes.count)
      books.append(book)
    }
    return (bytes, ends, books)
  }

  /// A record with a right checksum around any payload.
  static func record(_ payload: [UInt8], count: Int, at offset: Int, payloadBytes: UInt32? = nil) -> [UInt8] {
    var bytes = RecordFormat.mark
    bytes.append(integer: payloadBytes ?? UInt32(payload.count))
    bytes.append(integer: UInt64(offset))
    bytes.append(integer: UInt32(count))
    bytes.append(integer: bytes.withUnsafeBytes { Checksums.crc32c($0) })
    bytes += payload
    bytes.append(integer: bytes.withUnsafeBytes { Checksums.crc64($0) })
    return bytes
  }

  static func encoded(_ entry: JournalEntry) -> [UInt8] {
    var bytes: [UInt8] = []
    EntryFormat.append(entry, to: &bytes)
    return bytes
  }
}

extension JobBook {
  /// The jobs by id.
  var sorted: [StoredJob] { jobs.values.sorted { $0.id < $1.id } }
}

/// The error that something throws, if it does.
func caught(_ body: () throws -> Void) -> JournalError? {
  do {
    try body()
    return nil
  } catch {
    return error as? JournalError
  }
}
