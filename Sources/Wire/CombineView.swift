public import Tensors

/// A combine frame's payload, read in place: partial sums on the grid of each row.
///
/// Everything is checked once, when the view is made. The memory must outlive the view.
public struct CombineView {
  public let layer: LayerIndex
  /// Which pass of the step.
  public let pass: Int
  /// Which part of the exchange is answered.
  public let part: Int
  public let rowCount: Int
  public let hiddenSize: Int
  private let base: UnsafeRawPointer

  /// Validates a payload.
  /// - Parameter hiddenSize: elements of a hidden state of the model.
  /// - Throws: `WireError` for a width other than 2, 3, 4 or 8 and for a length that does not fit the widths.
  public init(_ payload: UnsafeRawBufferPointer, hiddenSize: Int) throws(WireError) {
    precondition((1...WireLimits.hiddenSize).contains(hiddenSize), "hidden size out of range")
    var reader = WireReader(payload)
    layer = LayerIndex(Int(try reader.u16("layer")))
    pass = Int(try reader.u16("pass"))
    rowCount = Int(try reader.u16("rows"))
    guard rowCount > 0 else { throw reader.bad("a combine without rows", back: 2) }
    part = Int(try reader.u8("part"))
    try reader.zeros(1, "reserved")
    var elements = 0
    for width in try reader.raw(rowCount, "widths") {
      guard CombineRow.isWidth(width) else {
        throw WireError(
          .badValue, "a row of \(width) bytes an element; 2, 3, 4 and 8 are allowed", offset: CombineWriter.headBytes)
      }
      elements += Int(width)
    }
    guard let base = payload.baseAddress, reader.remaining == elements * hiddenSize else {
      throw WireError(
        reader.remaining < elements * hiddenSize ? .truncated : .trailingBytes,
        "the rows take \(elements * hiddenSize) bytes, \(reader.remaining) are there", offset: reader.offset)
    }
    self.base = base
    self.hiddenSize = hiddenSize
  }

  /// Bytes an element of a row: 2, 3, 4 or 8.
  public func width(row: Int) -> Int {
    precondition((0..<rowCount).contains(row), "no such row in this combine")
    return Int(base.load(fromByteOffset: CombineWriter.headBytes + row, as: UInt8.self))
  }

  /// Adds a row to `sums`, `[hiddenSize]`, with wrap-around.
  public func add(row: Int, into sums: UnsafeMutablePointer<Int64>) {
    let width = width(row: row)
    var elements = 0
    for before in 0..<row {
      elements &+= Int(base.load(fromByteOffset: CombineWriter.headBytes &+ before, as: UInt8.self))
    }
    let offset = CombineWriter.headBytes + rowCount + elements * hiddenSize
    CombineRow.add(base + offset, count: hiddenSize, width: width, to: sums)
  }
}
