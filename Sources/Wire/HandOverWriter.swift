public import Scheduling
public import Tensors

/// Makes the payload of a hand-over frame: the rows of a pass on their way to the next stage.
///
/// 0 pass u16, 2 passes u16, 4 stage u16, 6 zero u16, entries and released sequences as in `step` but without
/// tokens, then float32 rows `[rowCount, hiddenSize]` (docs/wire.md).
public struct HandOverWriter {
  private let head: [UInt8]
  private let rowCount: Int

  /// - Parameters:
  ///   - pass: which pass of the step; `passCount` is how many it has, 0 when there are only sequences to release.
  ///   - stage: number of the stage the rows go to.
  ///   - entries: tokens in them are left out.
  public init(pass: Int, passCount: Int, stage: Int, entries: [StepEntry], released: [SequenceID]) {
    var writer = WireWriter()
    writer.u16(UInt16(pass))
    writer.u16(UInt16(passCount))
    writer.u16(UInt16(stage))
    writer.u16(0)
    writer.list(entries) { $1.write(to: &$0, hasTokens: false) }
    SequenceID.writeList(released, to: &writer)
    head = writer.take()
    rowCount = entries.reduce(0) { $0 + $1.rowCount }
  }

  /// Bytes of the payload.
  public func byteCount(hiddenSize: Int) -> Int { head.count + 4 * rowCount * hiddenSize }

  /// Writes the payload.
  /// - Parameters:
  ///   - target: `byteCount(hiddenSize:)` bytes.
  ///   - rows: `[rowCount, hiddenSize]`, as many rows as the entries have together.
  public func write(_ target: UnsafeMutableRawBufferPointer, rows: UnsafePointer<Float>, hiddenSize: Int) {
    precondition(target.count == byteCount(hiddenSize: hiddenSize), "a hand-over of another size")
    head.withUnsafeBytes { target.copyMemory(from: $0) }
    UnsafeMutableRawBufferPointer(rebasing: target[head.count...])
      .copyMemory(from: UnsafeRawBufferPointer(start: rows, count: 4 * rowCount * hiddenSize))
  }
}
