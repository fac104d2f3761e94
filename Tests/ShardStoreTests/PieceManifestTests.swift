import Foundation
import GGUF
import ModelSpec
import Tensors
import Testing

@testable import ShardStore

@Suite struct PieceManifestTests {
  @Test("every entry is size and hash of the piece's bytes in the files", arguments: Fixtures.all)
  func entries(path: String) throws {
    let model = try Model(path)
    #expect(model.manifest.entries.map(\.id) == model.spec.pieces)
    for piece in model.spec.pieces + [.header] {
      let entry = try model.entry(piece)
      let bytes = try model.packed(piece)
      #expect(entry.id == piece && entry.byteCount == bytes.count)
      #expect(entry.digest == PieceHasher.digest(of: bytes))
    }
    #expect(model.manifest.byteCount == model.spec.file.tensors.reduce(0) { $0 + $1.byteCount })
    #expect(model.manifest.entry(for: .trunk(99)) == nil)
  }

  @Test("one flipped byte of one expert changes exactly that entry, and the model's id")
  func flippedByte() throws {
    let folder = try TemporaryFolder()
    let model = try Model(Fixtures.mixed)
    let piece = PieceID.expert(1, 5)
    for part in try model.layout(piece).parts {
      for offset in [part.range.offset, part.range.offset + part.range.byteCount - 1] {
        let copy = try Model(folder.copy(Fixtures.mixed, as: "copy.gguf", flippingByte: offset))
        let changed = zip(model.manifest.entries, copy.manifest.entries).filter { $0 != $1 }.map(\.0.id)
        #expect(changed == [piece])
        #expect(copy.manifest.header == model.manifest.header)
        #expect(copy.manifest.modelID != model.manifest.modelID)
      }
    }
  }

  @Test("the same file elsewhere has the same manifest")
  func copies() throws {
    let folder = try TemporaryFolder()
    let copy = try Model(folder.copy(Fixtures.small, as: "other name.gguf"))
    #expect(try copy.manifest == Model(Fixtures.small).manifest)
  }

  @Test("the same weights in one file and in two have the same pieces, but are two models")
  func splitFiles() throws {
    let whole = try Model(Fixtures.small)
    let split = try Model(Fixtures.split)
    #expect(whole.manifest.entries == split.manifest.entries)
    #expect(whole.manifest.header != split.manifest.header)
    #expect(whole.manifest.modelID != split.manifest.modelID)
  }

  @Test("the model's id depends on the header, every entry and their order")
  func modelID() throws {
    let manifest = try Model(Fixtures.small).manifest
    #expect(PieceManifest(header: manifest.header, entries: manifest.entries).modelID == manifest.modelID)
    #expect(PieceManifest(header: manifest.header, entries: manifest.entries.reversed()).modelID != manifest.modelID)
    #expect(PieceManifest(header: manifest.entries[0], entries: manifest.entries).modelID != manifest.modelID)
    for index in manifest.entries.indices {
      var entries = manifest.entries
      let entry = entries[index]
      entries[index] = PieceEntry(id: entry.id, byteCount: entry.byteCount + 1, digest: entry.digest)
      #expect(PieceManifest(header: manifest.header, entries: entries).modelID != manifest.modelID)
    }
  }

  @Test("progress counts every byte once and ends at the total")
  func progress() throws {
    let model = try Model(Fixtures.demo)
    var last = 0
    var totals: Set<Int> = []
    _ = try PieceManifest.build(spec: model.spec, reader: model.reader.reader) { done, total in
      #expect(done > last)
      last = done
      totals.insert(total)
    }
    #expect(totals == [model.manifest.byteCount] && last == model.manifest.byteCount)
  }

  @Test("a file that is cut off while it is hashed is said to have changed")
  func truncatedMeanwhile() throws {
    let folder = try TemporaryFolder()
    let path = try folder.copy(Fixtures.mixed, as: "model.gguf")
    let model = try Model(path)
    let error = #expect(throws: ShardStoreError.self) {
      _ = try PieceManifest.build(spec: model.spec, reader: model.reader.reader) { _, _ in truncate(path, 1 << 20) }
    }
    #expect(error?.code == .modelChanged && error?.path == path)
  }

  @Test("a file whose weights are written to while it is hashed is said to have changed")
  func writtenMeanwhile() throws {
    let folder = try TemporaryFolder()
    let path = try folder.copy(Fixtures.mixed, as: "model.gguf")
    let model = try Model(path)
    let error = #expect(throws: ShardStoreError.self) {
      _ = try PieceManifest.build(spec: model.spec, reader: model.reader.reader) { _, _ in
        let times = [timespec(tv_sec: 1_000_000, tv_nsec: 0), timespec(tv_sec: 1_000_000, tv_nsec: 1)]
        utimensat(AT_FDCWD, path, times, 0)
      }
    }
    #expect(error?.code == .modelChanged && error?.path == path)
  }

  @Test("a file that was replaced after its header was read is refused")
  func replaced() throws {
    let folder = try TemporaryFolder()
    let path = try folder.copy(Fixtures.small, as: "model.gguf")
    let spec = try ModelSpec(file: GGUFFile.open(path))
    for other in [Fixtures.half, Fixtures.split] {
      _ = try folder.copy(other, as: "model.gguf")
      let error = #expect(throws: ShardStoreError.self) {
        try PieceManifest.build(spec: spec, reader: GGUFDataReader(paths: [path]))
      }
      #expect(error?.code == .modelChanged && error?.path == path)
    }
    // The same size, but another header.
    _ = try folder.copy(Fixtures.small, as: "model.gguf", flippingByte: spec.file.headers[0].bytes.count / 2)
    let error = #expect(throws: ShardStoreError.self) {
      try PieceManifest.build(spec: spec, reader: GGUFDataReader(paths: [path]))
    }
    #expect(error?.code == .modelChanged)
  }
}
