import Foundation
import GGUF
import ModelSpec
import Testing

@testable import ShardStore

@Suite struct ShardStoreManifestTests {
  /// The manifest of the model at `path`, and whether it was hashed for that.
  private func manifest(_ path: String, in store: ShardStore) throws -> (PieceManifest, hashed: Bool) {
    let spec = try ModelSpec(file: GGUFFile.open(path))
    var hashed = false
    let manifest = try store.manifest(for: spec, reader: GGUFDataReader(paths: spec.file.paths)) { _, _ in
      hashed = true
    }
    return (manifest, hashed)
  }

  @Test("a model is hashed once, also if it is named through a link", arguments: [Fixtures.small, Fixtures.split])
  func cached(path: String) throws {
    let folder = try TemporaryFolder()
    let store = try ShardStore(directory: folder.file("store"))
    let first = try manifest(path, in: store)
    let expected = try Model(path).manifest
    #expect(first == (expected, hashed: true))
    #expect(try manifest(path, in: store) == (expected, hashed: false))
    let again = try ShardStore(directory: folder.file("store"))
    #expect(try manifest(path, in: again) == (expected, hashed: false))
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("models"), withDestinationPath: URL(fileURLWithPath: path).deletingLastPathComponent().path)
    let linked = folder.file("models/") + URL(fileURLWithPath: path).lastPathComponent
    #expect(try manifest(linked, in: store) == (expected, hashed: false))
  }

  @Test("a model whose time, inode or bytes changed is hashed again")
  func changed() throws {
    let folder = try TemporaryFolder()
    let store = try ShardStore(directory: folder.file("store"))
    let path = try folder.copy(Fixtures.small, as: "model.gguf")
    let first = try manifest(path, in: store).0
    let times = [timespec(tv_sec: 1_000_000, tv_nsec: 0), timespec(tv_sec: 1_000_000, tv_nsec: 1)]
    utimensat(AT_FDCWD, path, times, 0)
    #expect(try manifest(path, in: store) == (first, hashed: true))
    #expect(try manifest(path, in: store) == (first, hashed: false))

    let size = first.byteCount
    let other = try folder.copy(Fixtures.small, as: "other.gguf", flippingByte: size)
    utimensat(AT_FDCWD, other, times, 0)
    rename(other, path)
    let second = try manifest(path, in: store)
    #expect(second.hashed && second.0.modelID != first.modelID)
    #expect(try FileManager.default.contentsOfDirectory(atPath: store.manifestFolder).count == 1)
  }

  @Test("a damaged cache file is made again silently")
  func damaged() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let store = try ShardStore(directory: folder.path, warning: log.add)
    let expected = try manifest(Fixtures.small, in: store).0
    let cache = try store.manifestFolder + "/" + required(Files.names(in: store.manifestFolder).first)
    let good = try read(cache)
    var flipped = good
    flipped[good.count / 2] ^= 1
    for bad in [[], flipped, Array(good.dropLast())] {
      try write(bad, to: cache)
      #expect(try manifest(Fixtures.small, in: store) == (expected, hashed: true))
      #expect(try read(cache) == good)
    }
    #expect(log.all.isEmpty)
  }

  @Test("a cache file of other pieces than the model's is not believed")
  func otherPieces() throws {
    let folder = try TemporaryFolder()
    let store = try ShardStore(directory: folder.path)
    let expected = try manifest(Fixtures.small, in: store).0
    let cache = try store.manifestFolder + "/" + required(Files.names(in: store.manifestFolder).first)
    let good = try required(CachedManifest.decoded(read(cache)))
    let foreign = [
      PieceManifest(header: expected.header, entries: expected.entries.dropLast()),
      PieceManifest(header: expected.entries[0], entries: expected.entries),
      try Model(Fixtures.half).manifest,
    ]
    for manifest in foreign {
      try write(CachedManifest(files: good.files, manifest: manifest).encoded(), to: cache)
      #expect(try self.manifest(Fixtures.small, in: store) == (expected, hashed: true))
    }
  }

  @Test("a cache file that cannot be written is warned of, and the manifest is there all the same")
  func unwritable() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let store = try ShardStore(directory: folder.path, warning: log.add)
    try FileManager.default.removeItem(atPath: store.manifestFolder)
    try write([1], to: store.manifestFolder)
    #expect(try manifest(Fixtures.small, in: store).0 == Model(Fixtures.small).manifest)
    #expect(log.all.count == 1 && log.all[0].contains(store.manifestFolder))
  }
}
