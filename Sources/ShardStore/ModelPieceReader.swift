public import GGUF
public import ModelSpec

/// Reads any bytes of any piece of a model from its GGUF files. Holds the headers in memory, never weights; threads
/// may share it.
public struct ModelPieceReader: Sendable {
  /// The model.
  public let spec: ModelSpec
  /// The model's files.
  public let reader: GGUFDataReader
  private let headerBytes: [UInt8]

  /// - Parameters:
  ///   - spec: the model.
  ///   - reader: the model's files.
  /// - Throws: `modelChanged` when the files do not begin with the headers of `spec`; `io` when they cannot be read.
  public init(spec: ModelSpec, reader: GGUFDataReader) throws(ShardStoreError) {
    try reader.requireHeaders(of: spec)
    self.spec = spec
    self.reader = reader
    headerBytes = ModelSpec.encodeHeaders(spec.file.headers)
  }

  /// Opens the files that `spec` was made from.
  /// - Throws: as `init(spec:reader:)`.
  public init(spec: ModelSpec) throws(ShardStoreError) {
    let reader: GGUFDataReader
    do throws(GGUFError) { reader = try GGUFDataReader(paths: spec.file.paths) } catch { throw ShardStoreError(error) }
    try self.init(spec: spec, reader: reader)
  }

  /// Bytes of a packed piece; nil when the model has no such piece.
  public func byteCount(of piece: PieceID) -> Int? {
    piece == .header ? headerBytes.count : spec.layout(of: piece)?.byteCount
  }

  /// Fills `buffer` with the bytes of a packed piece from `offset` on. A peer may choose all of it.
  ///
  /// - Throws: `unknownPiece` when the model has no such piece, `badRange` when the range is not inside it, `io` when
  ///   the file cannot be read or was cut off.
  public func read(
    _ piece: PieceID, offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(ShardStoreError) {
    if piece == .header {
      try Self.check(piece, offset, buffer.count, of: headerBytes.count)
      headerBytes.withUnsafeBytes {
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset...].prefix(buffer.count)))
      }
      return
    }
    guard let layout = spec.layout(of: piece) else {
      throw ShardStoreError(.unknownPiece, "the model has no \(piece)")
    }
    try Self.check(piece, offset, buffer.count, of: layout.byteCount)
    let wanted = offset..<offset + buffer.count
    for part in layout.parts {
      let piece = wanted.clamped(to: part.offset..<part.offset + part.byteCount)
      guard !piece.isEmpty else { continue }
      let target = UnsafeMutableRawBufferPointer(
        rebasing: buffer[piece.lowerBound - offset..<piece.upperBound - offset])
      let start = part.range.offset + piece.lowerBound - part.offset
      try reader.fill(target, from: ByteRange(file: part.range.file, offset: start, byteCount: target.count))
    }
  }

  private static func check(_ piece: PieceID, _ offset: Int, _ count: Int, of size: Int) throws(ShardStoreError) {
    guard offset >= 0, offset <= size, count <= size - offset else {
      throw ShardStoreError(
        .badRange, "\(count) bytes from byte \(offset) on reach outside the \(piece), which has \(size) bytes")
    }
  }
}
