public import ModelSpec
public import Tensors

/// What a piece of a model must be: its size and the SHA-256 of its packed bytes (the parts of its layout one after
/// another, as they stand in the GGUF file).
public struct PieceEntry: Sendable, Hashable {
  /// Which piece.
  public let id: PieceID
  /// Bytes of the packed piece.
  public let byteCount: Int
  /// SHA-256 of the packed piece; also its name in a store.
  public let digest: Digest

  /// - Parameters:
  ///   - id: which piece.
  ///   - byteCount: bytes of the packed piece.
  ///   - digest: SHA-256 of the packed piece.
  public init(id: PieceID, byteCount: Int, digest: Digest) {
    self.id = id
    self.byteCount = byteCount
    self.digest = digest
  }
}
