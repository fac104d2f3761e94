public import Scheduling
public import Tensors

/// A hand-over frame's payload; the rows stay where they are until they are copied out.
///
/// The memory must outlive the view.
public struct HandOverView {
  /// Which pass of the step.
  public let pass: Int
  /// Passes of the step; 0 when there are only sequences to release.
  public let passCount: Int
  /// Number of the stage the rows go to.
  public let stage: Int
  /// Without tokens.
  public let entries: [StepEntry]
  public let released: [SequenceID]
  /// Rows of all entries together.
  public let rowCount: Int
  public let hiddenSize: Int
  private let rows: UnsafeRawBufferPointer

  /// Validates a payload.
  /// - Parameter hiddenSize: elements of a hidden state of the model.
  /// - Throws: `WireError`, also when a row holds a value that is not finite.
  public init(_ payload: UnsafeRawBufferPointer, hiddenSize: Int) throws(WireError) {
    precondition((1...WireLimits.hiddenSize).contains(hiddenSize), "hidden size out of range")
    var reader = WireReader(payload)
    pass = Int(try reader.u16("pass"))
    passCount = Int(try reader.u16("passes"))
    stage = Int(try reader.u16("stage"))
    try reader.zeros(2, "reserved")
    entries = try reader.list(
      "entries", limit: WireLimits.entries, elementBytes: StepEntry.wireBytes
    ) { (reader) throws(WireError) in
      try StepEntry(from: &reader, hasTokens: false)
    }
    guard entries.isEmpty ? passCount == 0 && pass == 0 : pass < passCount else {
      throw reader.bad("pass \(pass) of \(passCount) with \(entries.count) entries")
    }
    released = try SequenceID.readList("released sequences", from: &reader)
    rowCount = entries.reduce(0) { $0 &+ $1.rowCount }
    self.hiddenSize = hiddenSize
    guard rowCount <= WireLimits.rows, reader.remaining == 4 * rowCount * hiddenSize else {
      throw WireError(
        .badValue, "\(rowCount) rows of \(hiddenSize) elements do not take \(reader.remaining) bytes",
        offset: reader.offset)
    }
    rows = try reader.raw(reader.remaining, "rows")
    if let base = rows.baseAddress, !FiniteCheck.areFinite(base, count: rowCount * hiddenSize) {
      throw WireError(.badValue, "a hidden state holds a value that is not finite", offset: payload.count - rows.count)
    }
  }

  /// Copies the rows, `[rowCount, hiddenSize]`, to aligned memory.
  public func copyRows(into target: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawBufferPointer(start: target, count: rows.count).copyMemory(from: rows)
  }
}
