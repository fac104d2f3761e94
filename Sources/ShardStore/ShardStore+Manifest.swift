public import GGUF
public import ModelSpec
import Tensors

extension ShardStore {
  /// The hashes of a model's pieces: those kept from an earlier run, if none of the model's files has another path,
  /// size, inode or time (to the nanosecond) since; else from reading all weights once, and kept for the next run.
  ///
  /// A damaged cache file is made again silently. One that cannot be written is only warned of.
  ///
  /// - Parameters:
  ///   - spec: the model; made from the files that `reader` has open.
  ///   - reader: the model's files.
  ///   - progress: called while hashing with the bytes done and the bytes in total; not called when nothing is hashed.
  /// - Throws: as `PieceManifest.build(spec:reader:progress:)`.
  public func manifest(
    for spec: ModelSpec, reader: GGUFDataReader, progress: (_ bytesDone: Int, _ bytesTotal: Int) -> Void = { _, _ in }
  ) throws(ShardStoreError) -> PieceManifest {
    let files = zip(reader.paths, reader.identities).map {
      CachedManifest.SourceFile(path: Files.absolutePath($0), identity: $1)
    }
    let name = PieceHasher.digest(of: Array(files.map(\.path).joined(separator: "\0").utf8)).hexadecimal
    if let cached = cachedManifest(name), cached.files == files, cached.manifest.describes(spec) {
      try reader.requireHeaders(of: spec)
      return cached.manifest
    }
    let manifest = try PieceManifest.build(spec: spec, reader: reader, progress: progress)
    let bytes = CachedManifest(files: files, manifest: manifest).encoded()
    do {
      // The folder may have been deleted since the store was opened.
      try Files.makeFolder(manifestFolder)
      try bytes.withUnsafeBytes { try Files.writeWhole($0, as: name, in: manifestFolder) }
    } catch {
      warning("the model's hashes cannot be kept for the next start: \(error)")
    }
    return manifest
  }

  /// The manifest in a file of that name; nil when there is none, or it is damaged.
  func cachedManifest(_ name: String) -> CachedManifest? {
    let path = manifestFolder + "/" + name
    // A trillion parameters are some 30 000 pieces of 49 bytes each.
    guard let file = try? Files.open(path), let size = Files.status(file)?.byteCount, size <= 256 << 20 else {
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: size)
    let count = bytes.withUnsafeMutableBytes { try? Files.read(file, at: 0, into: $0, path: path) }
    return count == size ? CachedManifest.decoded(bytes) : nil
  }
}

extension PieceManifest {
  /// Whether these are the pieces that `spec` has: the same headers, and the same names and sizes in the same order.
  fileprivate func describes(_ spec: ModelSpec) -> Bool {
    guard header == Self.headerEntry(of: spec), entries.map(\.id) == spec.pieces else { return false }
    return entries.allSatisfy { spec.layout(of: $0.id)?.byteCount == $0.byteCount }
  }
}
