public import ModelGraph
public import Tensors

/// A piece in memory and the hash it was checked against. Its memory goes back to the arena with the last of those that
/// use it: a placement that runs or is being prepared, or a loader that found it in memory.
public final class HeldPiece: Sendable {
  public let piece: LoadedPiece
  public let digest: Digest
  private let arena: WeightArena

  /// - Parameter arena: where the piece's slot was allocated; nobody else may release it.
  init(piece: LoadedPiece, digest: Digest, arena: WeightArena) {
    self.piece = piece
    self.digest = digest
    self.arena = arena
  }

  deinit { arena.release(piece.slot) }
}
