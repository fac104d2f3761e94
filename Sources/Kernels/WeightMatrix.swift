public import Tensors

/// A weight matrix as it lies in a GGUF file: `rows` rows of `columns` elements, each row whole quant blocks.
///
/// Does not own its memory: whoever makes one keeps the bytes alive and unchanged while it is in use.
public struct WeightMatrix: @unchecked Sendable {
  // SAFETY: the bytes are only read, and not written any more once the matrix exists.
  public let bytes: UnsafeRawPointer
  public let type: QuantType
  /// Output elements of a product.
  public let rows: Int
  /// Input elements of a product; a multiple of the type's block.
  public let columns: Int
  /// Bytes from one row to the next.
  public let rowBytes: Int

  /// - Parameters:
  ///   - bytes: `rows` x `rowBytes` readable bytes.
  ///   - rowBytes: bytes from one row to the next; nil for rows that follow each other without a gap.
  public init(bytes: UnsafeRawPointer, type: QuantType, rows: Int, columns: Int, rowBytes: Int? = nil) {
    guard rows >= 0, let packed = type.rowBytes(elements: columns), (rowBytes ?? packed) >= packed else {
      preconditionFailure("\(rows) x \(columns) is no shape of \(type.name) rows of \(rowBytes ?? 0) bytes")
    }
    self.bytes = bytes
    self.type = type
    self.rows = rows
    self.columns = columns
    self.rowBytes = rowBytes ?? packed
  }
}
