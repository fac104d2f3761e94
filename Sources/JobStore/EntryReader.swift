import Scheduling
import Tensors

/// A cursor over the payload of a record that checks every read.
///
/// The record's checksum was right, so whatever is wrong here was written so: a newer program or a fault of ours. It is
/// refused like damage.
struct EntryReader {
  private let bytes: UnsafeRawBufferPointer
  /// Where the payload begins in the file.
  private let base: Int
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer, base: Int) {
    self.bytes = bytes
    self.base = base
  }

  /// Byte of the file at which the cursor stands.
  var offset: Int { base + position }
  private var remaining: Int { bytes.count - position }

  /// Reads the next entry.
  mutating func entry() throws(JournalError) -> JournalEntry {
    let count: UInt32 = try integer("the length of an entry")
    let rawKind: UInt8 = try integer("the kind of an entry")
    try zeros(3)
    guard let kind = EntryFormat.Kind(rawValue: rawKind) else {
      throw bad("there is no kind of entry \(rawKind); a newer version of shoal may have written it")
    }
    guard Int(count) <= remaining else { throw bad("an entry of \(count) bytes, \(remaining) are left") }
    let end = position + Int(count)
    let entry = try body(kind)
    guard position == end else {
      throw bad("the entry says it has \(count) bytes, it has \(count) + \(position - end)")
    }
    try entry.validateRead(at: offset)
    return entry
  }

  /// Fails when something is left over.
  func finish() throws(JournalError) {
    guard remaining == 0 else { throw bad("\(remaining) bytes follow the last entry of the record") }
  }

  private mutating func body(_ kind: EntryFormat.Kind) throws(JournalError) -> JournalEntry {
    switch kind {
    case .accepted: return .accepted(try accepted())
    case .tokens:
      let id = try jobID()
      let first = try number("the index of a token")
      let count = try count("tokens", limit: JournalLimits.tokens, elementBytes: 8)
      let tokens = try words(count).map { TokenID($0) }
      let logProbabilities = try words(count).map { Float(bitPattern: $0) }
      return .tokens(id, first: first, tokens: tokens, logProbabilities: logProbabilities)
    case .ended: return try ended()
    case .failed:
      let id = try jobID()
      let count = try count("the bytes of a reason", limit: JournalLimits.reasonBytes, elementBytes: 1)
      guard let reason = String(validating: try raw(count), as: UTF8.self) else { throw bad("a reason is not UTF-8") }
      return .failed(id, reason: reason)
    case .nextID: return .nextID(try jobID())
    }
  }

  private mutating func accepted() throws(JournalError) -> AcceptedJob {
    let id = try jobID()
    let created: Int64 = try integer("the time")
    guard let model = Digest(bytes: try raw(Digest.byteCount)) else { throw bad("the model's id is too short") }
    let numericsVersion: UInt32 = try integer("the numerics version")
    let rawKV: UInt8 = try integer("the KV type")
    let rawCombine: UInt8 = try integer("the combine mode")
    guard let kvType = KVType(rawValue: rawKV) else { throw bad("there is no KV type \(rawKV)") }
    guard let combine = CombineMode(rawValue: rawCombine) else { throw bad("there is no combine mode \(rawCombine)") }
    let ignoreEOS = try bool("ignoreEOS")
    try zeros(1)
    let maxTokens = try number("maxTokens")
    var sampling = SamplingParameters()
    sampling.temperature = try float()
    sampling.topP = try float()
    sampling.minP = try float()
    sampling.repeatPenalty = try float()
    sampling.frequencyPenalty = try float()
    sampling.presencePenalty = try float()
    sampling.topK = Int(try integer("topK") as Int64)
    sampling.penaltyWindow = Int(try integer("the penalty window") as Int64)
    sampling.seed = try integer("the seed")
    let count = try count("the tokens of a prompt", limit: JournalLimits.tokens, elementBytes: 4)
    return AcceptedJob(
      id: id, created: created, model: model, numericsVersion: numericsVersion, kvType: kvType, combine: combine,
      promptTokens: try words(count).map { TokenID($0) }, sampling: sampling, maxTokens: maxTokens,
      ignoreEOS: ignoreEOS)
  }

  private mutating func ended() throws(JournalError) -> JournalEntry {
    let id = try jobID()
    let rawReason: UInt8 = try integer("the reason")
    guard Int(rawReason) < EntryFormat.reasons.count else { throw bad("there is no reason \(rawReason) for an end") }
    let hasFirstToken = try bool("whether there was a token")
    try zeros(2)
    var times = JobTimes()
    times.stageCount = Int(try integer("stageCount") as UInt32)
    times.nodeCount = Int(try integer("nodeCount") as UInt32)
    times.queue = Double(bitPattern: try integer("a time"))
    times.prefill = Double(bitPattern: try integer("a time"))
    times.decode = Double(bitPattern: try integer("a time"))
    let firstToken = Double(bitPattern: try integer("a time"))
    guard hasFirstToken || firstToken.bitPattern == 0 else { throw bad("there is a time of a token that never was") }
    times.firstToken = hasFirstToken ? firstToken : nil
    return .ended(id, EntryFormat.reasons[Int(rawReason)], times)
  }

  private mutating func jobID() throws(JournalError) -> JobID { JobID(rawValue: try integer("a job's id")) }

  private mutating func float() throws(JournalError) -> Float {
    Float(bitPattern: try integer("a sampling parameter"))
  }

  private mutating func bool(_ name: StaticString) throws(JournalError) -> Bool {
    let value: UInt8 = try integer(name)
    guard value <= 1 else { throw bad("\(name) is \(value), it may be 0 or 1") }
    return value == 1
  }

  /// An u64 up to the limit of tokens.
  private mutating func number(_ name: StaticString) throws(JournalError) -> Int {
    let value: UInt64 = try integer(name)
    guard value <= JournalLimits.tokens else {
      throw bad("\(name) is \(value), at most \(JournalLimits.tokens) is allowed")
    }
    return Int(value)
  }

  /// A count (u32) of things of `elementBytes` each, checked against what is left.
  private mutating func count(_ name: StaticString, limit: Int, elementBytes: Int) throws(JournalError) -> Int {
    let value = Int(try integer(name) as UInt32)
    guard value <= limit, value <= remaining / elementBytes else {
      throw bad("\(name): \(value); \(limit) are allowed and \(remaining) bytes are left")
    }
    return value
  }

  private mutating func words(_ count: Int) throws(JournalError) -> [UInt32] {
    let words = try raw(4 * count)
    return (0..<count).map { UInt32(littleEndian: words.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
  }

  private mutating func zeros(_ count: Int) throws(JournalError) {
    guard try raw(count).allSatisfy({ $0 == 0 }) else { throw bad("a byte that must be zero is not") }
  }

  private mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(
    _ name: StaticString
  ) throws(JournalError) -> T {
    guard MemoryLayout<T>.size <= remaining else { throw bad("\(name) is cut off") }
    defer { position += MemoryLayout<T>.size }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
  }

  private mutating func raw(_ count: Int) throws(JournalError) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remaining else { throw bad("\(count) bytes are wanted, \(remaining) are left") }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  private func bad(_ message: String) -> JournalError {
    JournalError(.badFormat, message + "; " + JournalReader.advice, offset: offset)
  }
}

extension JournalEntry {
  /// `validate`, of what was read.
  fileprivate func validateRead(at offset: Int) throws(JournalError) {
    do throws(JournalError) {
      try validate()
    } catch {
      throw error.at(offset)
    }
  }
}
