import Scheduling
import Tensors

extension TokenID {
  static func writeList(_ tokens: [TokenID], to writer: inout WireWriter) {
    writer.list(tokens) { $0.u32($1.rawValue) }
  }

  static func readList(_ field: StaticString, from reader: inout WireReader) throws(WireError) -> [TokenID] {
    try reader.list(field, limit: WireLimits.tokens, elementBytes: 4) { (reader) throws(WireError) in
      TokenID(rawValue: try reader.u32("token"))
    }
  }
}

extension SequenceID {
  static func writeList(_ sequences: [SequenceID], to writer: inout WireWriter) {
    writer.list(sequences) { $0.u64($1.rawValue) }
  }

  static func readList(_ field: StaticString, from reader: inout WireReader) throws(WireError) -> [SequenceID] {
    try reader.list(field, limit: WireLimits.entries, elementBytes: 8) { (reader) throws(WireError) in
      SequenceID(rawValue: try reader.u64("sequence"))
    }
  }
}

extension StepEntry {
  /// Bytes of an entry without tokens and opening.
  static let wireBytes = 28

  func write(to writer: inout WireWriter, hasTokens: Bool = true) {
    writer.u64(sequence.rawValue)
    writer.int(position)
    writer.int(rowCount)
    switch wanted {
    case .nothing: writer.u8(0)
    case .token: writer.u8(1)
    case .logits: writer.u8(2)
    }
    writer.bool(opening != nil)
    writer.zeros(2)
    if case .logits(let rows) = wanted { writer.int(rows) } else { writer.u32(0) }
    TokenID.writeList(hasTokens ? tokens : [], to: &writer)
    if let opening {
      opening.sampling.write(to: &writer)
      TokenID.writeList(opening.history, to: &writer)
      TokenID.writeList(opening.endTokens.sorted(), to: &writer)
    }
  }

  /// - Parameter hasTokens: whether the entry must carry a token for each row, or none at all.
  init(from reader: inout WireReader, hasTokens: Bool) throws(WireError) {
    let sequence = SequenceID(rawValue: try reader.u64("sequence"))
    let position = try reader.int("position", in: 0...Int(Int32.max))
    let rowCount = try reader.int("rows of an entry", in: 1...WireLimits.tokens)
    let kind = try reader.u8("what an entry wants")
    let hasOpening = try reader.bool("opening is there")
    try reader.zeros(2, "reserved")
    let logitRows = try reader.int("rows of logits", in: 0...rowCount)
    let wanted: Wanted
    switch (kind, logitRows) {
    case (0, 0): wanted = .nothing
    case (1, 0): wanted = .token
    case (2, 1...): wanted = .logits(rows: logitRows)
    default: throw reader.bad("an entry wants \(kind) with \(logitRows) rows of logits", back: 8)
    }
    let tokens = try TokenID.readList("tokens of an entry", from: &reader)
    guard tokens.count == (hasTokens ? rowCount : 0) else {
      throw reader.bad("an entry of \(rowCount) rows has \(tokens.count) tokens", back: 4 * tokens.count + 4)
    }
    var opening: SequenceOpening?
    if hasOpening {
      let sampling = try SamplingParameters(from: &reader)
      let history = try TokenID.readList("history", from: &reader)
      let endTokens = try TokenID.readList("end tokens", from: &reader)
      guard zip(endTokens, endTokens.dropFirst()).allSatisfy(<) else {
        throw reader.bad("the end tokens do not ascend", back: 4 * endTokens.count)
      }
      opening = SequenceOpening(sampling: sampling, history: history, endTokens: Set(endTokens))
    }
    self.init(
      sequence: sequence, position: position, rowCount: rowCount, tokens: tokens, wanted: wanted, opening: opening)
  }
}

extension StepResult {
  /// Bytes of a result without what it carries.
  static let wireBytes = 16

  func write(to writer: inout WireWriter) {
    writer.u64(sequence.rawValue)
    writer.int(position)
    switch outcome {
    case .none:
      writer.u32(0)
    case .token(let token, let logProbability):
      writer.u32(1)
      writer.u32(token.rawValue)
      writer.float(logProbability)
    case .logits(let rows, let values):
      writer.u32(2)
      writer.int(rows)
      LogitRows.write(values, to: &writer)
    }
  }

  init(from reader: inout WireReader) throws(WireError) {
    let sequence = SequenceID(rawValue: try reader.u64("sequence"))
    let position = try reader.int("position", in: 0...Int(Int32.max))
    let outcome: Outcome
    switch try reader.u32("kind of result") {
    case 0:
      outcome = .none
    case 1:
      let token = TokenID(rawValue: try reader.u32("token"))
      outcome = .token(token, logProbability: try reader.finiteFloat("log-probability"))
    case 2:
      let rows = try reader.int("rows of logits", in: 1...WireLimits.rows)
      outcome = .logits(rows: rows, values: try LogitRows.read(rows: rows, from: &reader))
    case let kind:
      throw reader.bad("a result has no kind \(kind)", back: 4)
    }
    self.init(sequence: sequence, position: position, outcome: outcome)
  }
}

/// float32 values with their count in front.
enum LogitRows {
  static func write(_ values: [Float], to writer: inout WireWriter) {
    writer.int(values.count)
    values.withUnsafeBytes { writer.raw($0) }
  }

  /// - Parameter rows: the count must be a multiple of it.
  static func read(rows: Int, from reader: inout WireReader) throws(WireError) -> [Float] {
    let count = try reader.count("logits", limit: Int(Int32.max), elementBytes: 4)
    guard count > 0, count % rows == 0 else {
      throw reader.bad("\(count) logits are not \(rows) rows", back: 4)
    }
    let bytes = try reader.raw(4 * count, "logits")
    return [Float](unsafeUninitializedCapacity: count) { target, filled in
      UnsafeMutableRawBufferPointer(target).copyMemory(from: bytes)
      filled = count
    }
  }
}
