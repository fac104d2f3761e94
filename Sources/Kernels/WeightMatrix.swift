public import Tensors

/// A weight matrix: `rows` rows of `columns` elements, each row whole quant blocks as in a GGUF file.
///
/// Does not own its memory: whoever makes one keeps the bytes alive and unchanged while it is in use.
public struct WeightMatrix: @unchecked Sendable {
  // SAFETY: the bytes are only read; `interleaved(in:)` alone writes them, and wants them for itself.
  public let bytes: UnsafeRawPointer
  public let type: QuantType
  /// Output elements of a product.
  public let rows: Int
  /// Input elements of a product; a multiple of the type's block.
  public let columns: Int
  /// Bytes from one row to the next; in panels, a sixteenth of a panel.
  public let rowBytes: Int
  public let layout: WeightLayout

  /// - Parameters:
  ///   - bytes: `rows` x `rowBytes` readable bytes.
  ///   - rowBytes: bytes from one row to the next; nil for rows that follow each other without a gap.
  ///   - layout: how the bytes lie; panels have no gaps.
  public init(
    bytes: UnsafeRawPointer, type: QuantType, rows: Int, columns: Int, rowBytes: Int? = nil,
    layout: WeightLayout = .rows
  ) {
    guard rows >= 0, let packed = type.rowBytes(elements: columns), (rowBytes ?? packed) >= packed else {
      preconditionFailure("\(rows) x \(columns) is no shape of \(type.name) rows of \(rowBytes ?? 0) bytes")
    }
    precondition(layout == .rows || (rows % WeightLayout.panelRows == 0 && rowBytes == nil), "no whole panels")
    self.bytes = bytes
    self.type = type
    self.rows = rows
    self.columns = columns
    self.rowBytes = rowBytes ?? packed
    self.layout = layout
  }
}
