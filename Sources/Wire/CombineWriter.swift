public import Tensors

/// Fills the payload of a combine frame: 0 layer u16, 2 pass u16, 4 rows u16, 6 part u8, 7 zero, then widths u8 a row, then
/// the rows, `width * hiddenSize` bytes each (docs/wire.md).
public enum CombineWriter {
  static let headBytes = 8

  /// Bytes of the payload for these sums.
  /// - Parameter sums: `[rowCount, hiddenSize]`
  public static func byteCount(sums: UnsafePointer<Int64>, rowCount: Int, hiddenSize: Int) -> Int {
    var elements = 0
    for row in 0..<rowCount { elements += CombineRow.width(sums + row * hiddenSize, count: hiddenSize) }
    return headBytes + rowCount + elements * hiddenSize
  }

  /// Writes the payload.
  /// - Parameters:
  ///   - target: as many bytes as `byteCount` gave, of any alignment.
  ///   - part: which part of the exchange is answered, below 256.
  ///   - sums: `[rowCount, hiddenSize]`, unchanged since.
  ///   - rowCount: 1 to 65,535.
  public static func write(
    _ target: UnsafeMutableRawBufferPointer, layer: LayerIndex, pass: Int, part: Int, sums: UnsafePointer<Int64>,
    rowCount: Int, hiddenSize: Int
  ) {
    precondition((1...WireLimits.rows).contains(rowCount) && hiddenSize > 0, "a combine of impossible size")
    guard let base = target.baseAddress, target.count >= headBytes + rowCount else {
      preconditionFailure("a combine of \(rowCount) rows does not fit \(target.count) bytes")
    }
    base.storeBytes(of: UInt16(layer.rawValue).littleEndian, as: UInt16.self)
    base.storeBytes(of: UInt16(pass).littleEndian, toByteOffset: 2, as: UInt16.self)
    base.storeBytes(of: UInt16(rowCount).littleEndian, toByteOffset: 4, as: UInt16.self)
    base.storeBytes(of: UInt8(part), toByteOffset: 6, as: UInt8.self)
    base.storeBytes(of: UInt8(0), toByteOffset: 7, as: UInt8.self)
    var offset = headBytes + rowCount
    for row in 0..<rowCount {
      let values = sums + row * hiddenSize
      let width = CombineRow.width(values, count: hiddenSize)
      precondition(offset + width * hiddenSize <= target.count, "combine sums changed while they were written")
      base.storeBytes(of: UInt8(width), toByteOffset: headBytes + row, as: UInt8.self)
      CombineRow.pack(values, count: hiddenSize, width: width, into: base + offset)
      offset += width * hiddenSize
    }
  }
}
