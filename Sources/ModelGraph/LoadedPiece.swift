import Kernels
public import ModelSpec
public import Tensors

/// A piece of weights in memory: its parts at 64-byte boundaries of an arena slot.
public struct LoadedPiece: Sendable {
  public let layout: PieceLayout
  public let slot: WeightArena.Slot

  /// - Parameter slot: at least `layout.memoryBytes` bytes, filled part by part at `layout.memoryOffsets`.
  public init(layout: PieceLayout, slot: WeightArena.Slot) {
    precondition(slot.byteCount >= layout.memoryBytes, "slot too small for its piece")
    self.layout = layout
    self.slot = slot
  }

  /// The matrix of a role; nil when the piece has none.
  func matrix(_ role: TensorRole) -> WeightMatrix? {
    guard let index = layout.parts.firstIndex(where: { $0.role == role }) else { return nil }
    let part = layout.parts[index]
    return WeightMatrix(
      bytes: UnsafeRawPointer(slot.base + layout.memoryOffsets[index]), type: part.type, rows: part.rows,
      columns: part.columns)
  }

  /// The float32 vector of a role (a norm's weights); nil when the piece has none.
  func vector(_ role: TensorRole) -> UnsafePointer<Float>? {
    guard let matrix = matrix(role), matrix.type == .f32 else { return nil }
    return matrix.bytes.assumingMemoryBound(to: Float.self)
  }
}
