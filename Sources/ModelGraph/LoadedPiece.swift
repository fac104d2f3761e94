public import Kernels
public import ModelSpec
public import Tensors

/// A piece of weights in memory: its parts at 64-byte boundaries of an arena slot.
public struct LoadedPiece: Sendable {
  public let layout: PieceLayout
  public let slot: WeightArena.Slot
  /// How each part lies in memory.
  private let weightLayouts: [WeightLayout]

  /// Lays the piece out as the kernels like it best.
  /// - Parameter slot: at least `layout.memoryBytes` bytes, filled part by part at `layout.memoryOffsets`; those of
  ///   matrices may be moved about.
  public init(layout: PieceLayout, slot: WeightArena.Slot, for kernels: Kernels) {
    precondition(slot.byteCount >= layout.memoryBytes, "slot too small for its piece")
    self.layout = layout
    self.slot = slot
    weightLayouts = zip(layout.parts, layout.memoryOffsets).map { part, offset in
      let wanted = kernels.layout(of: part.type, rows: part.rows)
      guard wanted == .panels else { return .rows }
      let memory = slot.base + offset
      return WeightMatrix(bytes: memory, type: part.type, rows: part.rows, columns: part.columns)
        .interleaved(in: memory).layout
    }
  }

  /// Copies bytes of the piece as they are in the model's file.
  /// - Parameters:
  ///   - range: within `layout.byteCount`.
  ///   - target: room for all of them.
  public func copyBytes(_ range: Range<Int>, to target: UnsafeMutableRawPointer) {
    // In memory the parts of a piece stand at aligned places; in the file they follow one another.
    for (index, part) in layout.parts.enumerated() {
      let overlap = range.clamped(to: part.offset..<part.offset + part.byteCount)
      guard !overlap.isEmpty else { continue }
      matrix(index).copyRows(
        overlap.lowerBound - part.offset..<overlap.upperBound - part.offset,
        to: target + (overlap.lowerBound - range.lowerBound))
    }
  }

  private func matrix(_ index: Int) -> WeightMatrix {
    let part = layout.parts[index]
    return WeightMatrix(
      bytes: UnsafeRawPointer(slot.base + layout.memoryOffsets[index]), type: part.type, rows: part.rows,
      columns: part.columns, layout: weightLayouts[index])
  }

  /// The matrix of a role; nil when the piece has none.
  func matrix(_ role: TensorRole) -> WeightMatrix? {
    layout.parts.firstIndex { $0.role == role }.map(matrix)
  }

  /// The float32 vector of a role (a norm's weights); nil when the piece has none.
  func vector(_ role: TensorRole) -> UnsafePointer<Float>? {
    guard let matrix = matrix(role), matrix.type == .f32 else { return nil }
    return matrix.bytes.assumingMemoryBound(to: Float.self)
  }
}
