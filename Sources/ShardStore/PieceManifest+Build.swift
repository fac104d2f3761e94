public import GGUF
public import ModelSpec
import Tensors

extension PieceManifest {
  /// Reads all weights of a model once and hashes every piece.
  ///
  /// The files are read tensor by tensor, each from its start to its end: the experts of a layer are hashed side by
  /// side, first the gate matrices of all of them, then the up, then the down matrices. So a spinning disk seeks once a
  /// tensor instead of three times an expert. At most one buffer of 1 MiB is held, whatever the size of the model.
  ///
  /// - Parameters:
  ///   - spec: the model; made from the files that `reader` has open.
  ///   - reader: the model's files.
  ///   - progress: called after every buffer with the bytes done and the bytes in total.
  /// - Throws: `modelChanged` when the files are not those of `spec`, or change meanwhile; `io` when they cannot be read.
  public static func build(
    spec: ModelSpec, reader: GGUFDataReader, progress: (_ bytesDone: Int, _ bytesTotal: Int) -> Void = { _, _ in }
  ) throws(ShardStoreError) -> PieceManifest {
    try reader.requireHeaders(of: spec)
    do throws(ShardStoreError) {
      let entries = try hashedPieces(spec, reader, progress)
      try reader.requireUnchanged()
      return PieceManifest(header: headerEntry(of: spec), entries: entries)
    } catch {
      // A file cut off while it is read fails as a read; what the user must know is that it changed.
      try reader.requireUnchanged()
      throw error
    }
  }

  /// Size and digest of a model's headers.
  static func headerEntry(of spec: ModelSpec) -> PieceEntry {
    let bytes = ModelSpec.encodeHeaders(spec.file.headers)
    return PieceEntry(id: .header, byteCount: bytes.count, digest: PieceHasher.digest(of: bytes))
  }

  private static func hashedPieces(
    _ spec: ModelSpec, _ reader: GGUFDataReader, _ progress: (Int, Int) -> Void
  ) throws(ShardStoreError) -> [PieceEntry] {
    let layouts = try layouts(of: spec)
    let total = layouts.reduce(0) { $0 + $1.byteCount }
    let buffer = AlignedBuffer(byteCount: Files.chunkBytes)
    var done = 0
    var entries: [PieceEntry] = []
    var rest = layouts[...]
    while let first = rest.first {
      let group = rest.prefix { $0.id.isReadTogether(with: first.id) }
      rest = rest.dropFirst(group.count)
      var hashers = group.map { _ in PieceHasher() }
      for part in 0..<(group.map(\.parts.count).max() ?? 0) {
        for (index, layout) in group.enumerated() where layout.parts.indices.contains(part) {
          try hash(layout.parts[part].range, reader, buffer, into: &hashers[index]) { count in
            done += count
            progress(done, total)
          }
        }
      }
      for (layout, hasher) in zip(group, hashers) {
        entries.append(PieceEntry(id: layout.id, byteCount: layout.byteCount, digest: hasher.finish()))
      }
    }
    return entries
  }

  private static func hash(
    _ range: ByteRange, _ reader: GGUFDataReader, _ buffer: AlignedBuffer, into hasher: inout PieceHasher,
    hashed: (Int) -> Void
  ) throws(ShardStoreError) {
    var done = 0
    while done < range.byteCount {
      let count = min(buffer.byteCount, range.byteCount - done)
      let target = UnsafeMutableRawBufferPointer(start: buffer.base, count: count)
      try reader.fill(target, from: ByteRange(file: range.file, offset: range.offset + done, byteCount: count))
      hasher.update(UnsafeRawBufferPointer(target))
      done += count
      hashed(count)
    }
  }

  private static func layouts(of spec: ModelSpec) throws(ShardStoreError) -> [PieceLayout] {
    var layouts: [PieceLayout] = []
    for piece in spec.pieces {
      guard let layout = spec.layout(of: piece) else {
        throw ShardStoreError(.unknownPiece, "the model's headers do not say where the \(piece) lies")
      }
      layouts.append(layout)
    }
    return layouts
  }
}

extension PieceID {
  /// Whether both are experts of one layer, whose parts lie side by side in the same tensors.
  fileprivate func isReadTogether(with other: PieceID) -> Bool {
    if case .expert(let layer, _) = self, case .expert(let otherLayer, _) = other { return layer == otherLayer }
    return self == other
  }
}
