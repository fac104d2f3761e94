import struct Crypto.SHA256
import Tensors

/// SHA-256 over bytes that come bit by bit.
struct PieceHasher {
  private var hash = SHA256()

  mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

  /// The digest of all bytes so far.
  func finish() -> Digest {
    guard let digest = Digest(bytes: Array(hash.finalize())) else {
      preconditionFailure("a SHA-256 has \(Digest.byteCount) bytes")
    }
    return digest
  }

  /// The digest of `bytes`.
  static func digest(of bytes: [UInt8]) -> Digest {
    var hasher = PieceHasher()
    bytes.withUnsafeBytes { hasher.update($0) }
    return hasher.finish()
  }

  /// The digest of all bytes of a file.
  static func digest(of file: borrowing Descriptor, path: String) throws(ShardStoreError) -> Digest {
    var hasher = PieceHasher()
    let chunk = AlignedBuffer(byteCount: Files.chunkBytes)
    let buffer = UnsafeMutableRawBufferPointer(start: chunk.base, count: chunk.byteCount)
    var done = 0
    while true {
      let count = try Files.read(file, at: done, into: buffer, path: path)
      hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      done += count
      if count < buffer.count { return hasher.finish() }
    }
  }
}
