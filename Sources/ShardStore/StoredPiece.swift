public import Tensors

/// A piece of weights in a store's folder.
public struct StoredPiece: Sendable, Hashable {
  /// SHA-256 of its bytes; its name in the store.
  public let digest: Digest
  /// Its size.
  public let byteCount: Int
  /// When it was last inserted or read, in nanoseconds since 1970.
  public let lastUsed: Int64
}
