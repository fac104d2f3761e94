import GGUF
import ModelSpec
public import Tensors

/// The pieces of a model whose GGUF files are on this machine.
public struct ModelFileSource: PieceSource {
  /// Reads the model's files.
  public let reader: ModelPieceReader
  /// SHA-256 of the model's headers.
  public let headerDigest: Digest

  /// - Parameter reader: the model's files. Whether they hold the same weights as another file with the same headers
  ///   is found out piece by piece.
  public init(_ reader: ModelPieceReader) {
    self.reader = reader
    headerDigest = PieceManifest.headerEntry(of: reader.spec).digest
  }

  public var origin: PieceOrigin { .modelFile }
  public var name: String { "the model file \(reader.reader.paths[0])" }

  /// As `read(_:into:arrived:)`.
  public func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    try read(entry, into: buffer) { _ in }
  }

  /// - Returns: false when the model has no piece of that name and size, or other headers.
  /// - Throws: `ShardStoreError` when the file cannot be read or was cut off.
  public func read(
    _ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer, arrived: (Int) -> Void
  ) throws -> Bool {
    guard reader.byteCount(of: entry.id) == entry.byteCount, entry.id != .header || entry.digest == headerDigest else {
      return false
    }
    var done = 0
    while done < buffer.count {
      let chunk = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<min(buffer.count, done + Files.chunkBytes)])
      try reader.read(entry.id, offset: done, into: chunk)
      done += chunk.count
      arrived(done)
    }
    return true
  }
}
