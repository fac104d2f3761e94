import CKernels
import Tensors

/// How the rows of a weight matrix lie in memory.
public enum WeightLayout: Sendable, Hashable {
  /// One row after the other, as in a GGUF file.
  case rows
  /// Panels of 16 rows, whose blocks lie side by side so that each row has a lane of its own; as many bytes as in rows.
  /// Only for matrices whose rows are a multiple of 16.
  case panels

  /// Rows of a panel.
  public static let panelRows = 16

  /// Lays quantized rows side by side, in place.
  /// - Parameters:
  ///   - bytes: `rows` rows of `rowBytes` bytes without gaps, a multiple of `panelRows`.
  ///   - type: a type with blocks of several elements.
  static func interleave(_ bytes: UnsafeMutableRawPointer, _ type: QuantType, rows: Int, rowBytes: Int) {
    precondition(rows % panelRows == 0, "\(rows) rows are no whole panels")
    let panelBytes = panelRows * rowBytes
    let copy = AlignedBuffer(byteCount: panelBytes)
    withExtendedLifetime(copy) {
      for start in stride(from: 0, to: rows * rowBytes, by: panelBytes) {
        copy.base.copyMemory(from: bytes + start, byteCount: panelBytes)
        ck_interleave(copy.base, rowBytes, type.blockBytes, bytes + start)
      }
    }
  }
}

extension WeightMatrix {
  /// The matrix with its rows laid side by side, on the same memory, which is written to: nobody may be using it.
  public func interleaved(in memory: UnsafeMutableRawPointer) -> WeightMatrix {
    precondition(layout == .rows && UnsafeRawPointer(memory) == bytes, "not the rows of this matrix")
    precondition(rowBytes == type.rowBytes(elements: columns), "rows with gaps")
    WeightLayout.interleave(memory, type, rows: rows, rowBytes: rowBytes)
    return WeightMatrix(bytes: bytes, type: type, rows: rows, columns: columns, layout: .panels)
  }

  /// Copies bytes of the matrix as they are in a file, row after row, whatever its layout.
  /// - Parameters:
  ///   - range: bytes of the matrix, counted from its first row's start.
  ///   - target: room for all of them.
  public func copyRows(_ range: Range<Int>, to target: UnsafeMutableRawPointer) {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows * rowBytes, "bytes outside the matrix")
    guard layout == .panels else {
      return target.copyMemory(from: bytes + range.lowerBound, byteCount: range.count)
    }
    let panelBytes = WeightLayout.panelRows * rowBytes
    let panel = AlignedBuffer(byteCount: panelBytes)
    withExtendedLifetime(panel) {
      var start = range.lowerBound / panelBytes * panelBytes
      while start < range.upperBound {
        let wanted = range.clamped(to: start..<start + panelBytes)
        ck_separate(bytes + start, rowBytes, type.blockBytes, panel.base)
        (target + (wanted.lowerBound - range.lowerBound)).copyMemory(
          from: panel.base + (wanted.lowerBound - start), byteCount: wanted.count)
        start += panelBytes
      }
    }
  }

  /// Copies one row of a matrix in panels.
  func copyRow(_ row: Int, to target: UnsafeMutableRawPointer) {
    let panel = bytes + row / WeightLayout.panelRows * WeightLayout.panelRows * rowBytes
    ck_separate_row(panel, rowBytes, type.blockBytes, row % WeightLayout.panelRows, target)
  }
}
