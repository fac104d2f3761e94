public import Tensors

extension ShardStore {
  /// Fills `buffer` with bytes of a stored piece from `offset` on, for another process that asks for them by digest. It
  /// may choose everything but the buffer. The piece does not count as used; the bytes are not compared with the
  /// digest: whoever gets them hashes the whole piece.
  ///
  /// - Parameters:
  ///   - digest: which piece.
  ///   - byteCount: bytes the whole piece must have.
  ///   - offset: the first byte that is wanted.
  ///   - buffer: as many bytes as are wanted; may be empty.
  /// - Throws: `unknownPiece` when it is not there (any more), `badRange` when the range is not inside it,
  ///   `damagedPiece` when it has another size, `io` or `notWritable` when it cannot be opened or read.
  public func read(
    digest: Digest, byteCount: Int, offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(ShardStoreError) {
    guard offset >= 0, offset <= byteCount, buffer.count <= byteCount - offset else {
      throw ShardStoreError(
        .badRange,
        "\(buffer.count) bytes from byte \(offset) on reach outside the piece \(digest), which has \(byteCount) bytes")
    }
    let path = path(digest)
    guard let file = try Files.open(path) else {
      throw ShardStoreError(.unknownPiece, "there is no piece \(digest) in the store", path: directory)
    }
    let size = Files.status(file)?.byteCount
    guard size == byteCount else {
      throw ShardStoreError(
        .damagedPiece, "the piece \(digest) has \(size ?? 0) bytes instead of \(byteCount)", path: path)
    }
    guard try Files.read(file, at: offset, into: buffer, path: path) == buffer.count else {
      throw ShardStoreError(.damagedPiece, "the piece \(digest) was cut off while it was read", path: path)
    }
  }
}
