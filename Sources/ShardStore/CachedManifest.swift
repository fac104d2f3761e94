import GGUF
import ModelSpec
import Tensors

/// A manifest as it is kept on disk, with the state of the files it was made from.
///
/// Little-endian: "SHMF", u32 version (1); u32 files, for each u32 path length, path, u64 size, u64 inode,
/// i64 nanoseconds of its last change; the entry of the header; u32 entries, the entries; SHA-256 of all before.
/// An entry: u8 kind, u32 layer, u32 expert (0 where the kind has none), u64 size, SHA-256.
struct CachedManifest: Equatable {
  /// A model file as it was when its pieces were hashed.
  struct SourceFile: Equatable {
    let path: String
    let identity: FileIdentity
  }

  static let magic = Array("SHMF".utf8)
  static let version: UInt32 = 1
  static let entryBytes = 1 + 4 + 4 + 8 + Digest.byteCount

  let files: [SourceFile]
  let manifest: PieceManifest

  func encoded() -> [UInt8] {
    var encoder = ManifestEncoder()
    encoder.bytes += Self.magic
    encoder.append(Self.version)
    encoder.append(UInt32(files.count))
    for file in files {
      let path = Array(file.path.utf8)
      encoder.append(UInt32(path.count))
      encoder.bytes += path
      encoder.append(UInt64(file.identity.byteCount))
      encoder.append(file.identity.inode)
      encoder.append(file.identity.modified)
    }
    encoder.append(manifest.header)
    encoder.append(UInt32(manifest.entries.count))
    for entry in manifest.entries { encoder.append(entry) }
    return encoder.bytes + PieceHasher.digest(of: encoder.bytes).bytes
  }

  /// Nil when the bytes are damaged, cut off, or of another version.
  static func decoded(_ bytes: [UInt8]) -> CachedManifest? {
    guard bytes.count > Digest.byteCount else { return nil }
    let content = Array(bytes.dropLast(Digest.byteCount))
    guard PieceHasher.digest(of: content).bytes == Array(bytes.suffix(Digest.byteCount)) else { return nil }
    var decoder = ManifestDecoder(bytes: content[...])
    guard decoder.take(4) == magic[...], decoder.integer(UInt32.self) == version,
      let fileCount = decoder.integer(UInt32.self)
    else { return nil }
    var files: [SourceFile] = []
    for _ in 0..<fileCount {
      guard let file = decoder.sourceFile() else { return nil }
      files.append(file)
    }
    guard let header = decoder.entry(), let count = decoder.integer(UInt32.self),
      Int(count) * entryBytes == decoder.bytes.count
    else { return nil }
    var entries: [PieceEntry] = []
    for _ in 0..<count {
      guard let entry = decoder.entry() else { return nil }
      entries.append(entry)
    }
    return CachedManifest(files: files, manifest: PieceManifest(header: header, entries: entries))
  }
}

/// Writes the numbers and entries of a manifest's file.
struct ManifestEncoder {
  var bytes: [UInt8] = []

  mutating func append(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  mutating func append(_ entry: PieceEntry) {
    let (kind, layer, expert): (UInt8, LayerIndex, ExpertIndex) =
      switch entry.id {
      case .header: (0, 0, 0)
      case .embedding: (1, 0, 0)
      case .trunk(let layer): (2, layer, 0)
      case .expert(let layer, let expert): (3, layer, expert)
      case .output: (4, 0, 0)
      }
    append(kind)
    append(UInt32(layer.rawValue))
    append(UInt32(expert.rawValue))
    append(UInt64(entry.byteCount))
    bytes += entry.digest.bytes
  }
}

/// Reads what `ManifestEncoder` wrote; every method answers nil where the bytes end or make no sense.
struct ManifestDecoder {
  var bytes: ArraySlice<UInt8>

  mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard count <= bytes.count else { return nil }
    defer { bytes = bytes.dropFirst(count) }
    return bytes.prefix(count)
  }

  mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type) -> Value? {
    take(MemoryLayout<Value>.size)?.reversed().reduce(Value(0)) { $0 << 8 | Value($1) }
  }

  mutating func sourceFile() -> CachedManifest.SourceFile? {
    guard let length = integer(UInt32.self), let path = take(Int(length)), let size = integer(UInt64.self),
      let byteCount = Int(exactly: size), let inode = integer(UInt64.self), let modified = integer(UInt64.self)
    else { return nil }
    return CachedManifest.SourceFile(
      path: String(decoding: path, as: UTF8.self),
      identity: FileIdentity(byteCount: byteCount, inode: inode, modified: Int64(bitPattern: modified)))
  }

  mutating func entry() -> PieceEntry? {
    guard let kind = integer(UInt8.self), let layer = integer(UInt32.self), let expert = integer(UInt32.self),
      let size = integer(UInt64.self), let byteCount = Int(exactly: size),
      let digest = take(Digest.byteCount).flatMap({ Digest(bytes: $0) })
    else { return nil }
    let id: PieceID
    switch kind {
    case 0: id = .header
    case 1: id = .embedding
    case 2: id = .trunk(LayerIndex(Int(layer)))
    case 3: id = .expert(LayerIndex(Int(layer)), ExpertIndex(Int(expert)))
    case 4: id = .output
    default: return nil
    }
    return PieceEntry(id: id, byteCount: byteCount, digest: digest)
  }
}
