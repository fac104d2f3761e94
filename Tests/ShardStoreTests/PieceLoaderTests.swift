import Foundation
import GGUF
import Tensors
import Testing

@testable import ModelSpec
@testable import ShardStore

@Suite struct PieceLoaderTests {
  private let folder: TemporaryFolder
  private let store: ShardStore
  private let log = Log()

  init() throws {
    folder = try TemporaryFolder()
    store = try ShardStore(directory: folder.file("store"))
  }

  private func loader(_ sources: [any PieceSource]) -> PieceLoader {
    PieceLoader(sources: sources, store: store, warning: log.add)
  }

  @Test("every piece stands in memory as its layout says, wherever it came from", arguments: Fixtures.all)
  func placement(path: String) throws {
    let model = try Model(path)
    let file = ModelFileSource(model.reader)
    let network = ScriptedSource.network(model)
    for piece in model.spec.pieces {
      let expected = try model.spread(piece)
      #expect(try loader([StoreSource(store), file]).memory(piece, of: model) == (expected, .modelFile))
      #expect(try loader([StoreSource(store), network]).memory(piece, of: model) == (expected, .network))
      #expect(try loader([StoreSource(store), network]).memory(piece, of: model) == (expected, .store))
    }
    #expect(network.timesAsked == model.spec.pieces.count)
    #expect(log.all.isEmpty)
  }

  @Test("parts whose sizes are no multiples of 64 are moved apart, whatever the memory held")
  func oddParts() throws {
    let sizes = [1, 63, 64, 65, 200, 7, 128]
    var parts: [PiecePart] = []
    var offset = 0
    for size in sizes {
      let range = ByteRange(file: 0, offset: offset, byteCount: size)
      parts.append(PiecePart(role: .query, type: .i8, rows: 1, columns: size, range: range, offset: offset))
      offset += size
    }
    let layout = PieceLayout(id: .trunk(0), parts: parts)
    let packed = (0..<layout.byteCount).map { UInt8(truncatingIfNeeded: $0 &* 11 &+ 1) }
    let entry = PieceEntry(id: .trunk(0), byteCount: packed.count, digest: PieceHasher.digest(of: packed))
    let source = ScriptedSource(.modelFile) { _, buffer in
      buffer.copyBytes(from: packed)
      return true
    }
    var memory = [UInt8](repeating: 0xFF, count: layout.memoryBytes + 10)
    _ = try memory.withUnsafeMutableBytes { try loader([source]).load(layout: layout, entry: entry, into: $0) }
    var expected = [UInt8](repeating: 0, count: layout.memoryBytes)
    for (part, place) in zip(parts, layout.memoryOffsets) {
      expected.replaceSubrange(place..<place + part.byteCount, with: packed[part.offset..<part.offset + part.byteCount])
    }
    #expect(Array(memory.prefix(layout.memoryBytes)) == expected)
    #expect(memory.suffix(10).allSatisfy { $0 == 0xFF })
  }

  @Test("a second load comes from the store alone: nothing else is asked, and the header is there too")
  func warm() throws {
    let model = try Model(Fixtures.mixed)
    let cold = loader([StoreSource(store), ScriptedSource.network(model)])
    for piece in model.spec.pieces { #expect(try cold.memory(piece, of: model).origin == .network) }
    #expect(try cold.loadPacked(model.manifest.header) == (model.packed(.header), .network))
    let network = ScriptedSource.network(model)
    let again = try ShardStore(directory: folder.file("store"))
    let warm = PieceLoader(sources: [StoreSource(again), network], store: again, warning: log.add)
    for piece in model.spec.pieces {
      #expect(try warm.memory(piece, of: model) == (model.spread(piece), .store))
    }
    #expect(try warm.loadPacked(model.manifest.header) == (model.packed(.header), .store))
    #expect(network.timesAsked == 0 && log.all.isEmpty)
  }

  @Test("a model on this machine is not copied into the store")
  func modelFilesAreNotStored() throws {
    let model = try Model(Fixtures.small)
    _ = try loader([StoreSource(store), ModelFileSource(model.reader)]).memory(.embedding, of: model)
    #expect(store.list().isEmpty)
  }

  @Test("a damaged stored piece is found out, removed and fetched again")
  func damagedInStore() throws {
    let model = try Model(Fixtures.small)
    let entry = try model.entry(.expert(1, 3))
    let network = ScriptedSource.network(model)
    let loader = loader([StoreSource(store), network])
    var damages: [(inout [UInt8]) -> Void] = [{ $0[0] ^= 1 }, { $0[$0.count - 1] ^= 0x80 }]
    damages += [{ $0.removeLast() }, { $0.append(0) }, { $0 = [] }]
    for (index, damage) in damages.enumerated() {
      _ = try store.insert(entry.id, of: model)
      var bytes = try model.packed(entry.id)
      damage(&bytes)
      try write(bytes, to: store.path(entry.digest))
      #expect(try loader.memory(entry.id, of: model) == (model.spread(entry.id), .network))
      #expect(log.all.count == index + 1 && network.timesAsked == index + 1)
      #expect(try loader.memory(entry.id, of: model) == (model.spread(entry.id), .store))
    }
    #expect(log.all.allSatisfy { $0.contains("expert 3 of layer 1") && $0.contains(store.directory) })
  }

  @Test("a source with a wrong hash is skipped with a warning, and the next one asked")
  func wrongHash() throws {
    let model = try Model(Fixtures.small)
    let part = try model.layout(.expert(0, 2)).parts[1]
    let copy = try folder.copy(Fixtures.small, as: "tuned.gguf", flippingByte: part.range.offset + 17)
    let tuned = ModelFileSource(try ModelPieceReader(spec: ModelSpec(file: GGUFFile.open(copy))))
    let loader = loader([tuned, ModelFileSource(model.reader)])
    for expert in 0..<4 {
      let piece = PieceID.expert(0, ExpertIndex(expert))
      #expect(try loader.memory(piece, of: model) == (model.spread(piece), .modelFile))
    }
    #expect(log.all.count == 1 && log.all[0].contains("expert 2 of layer 0") && log.all[0].contains(copy))
  }

  @Test("a model file that is always wrong is asked no more after a while; the network is")
  func hopelessSources() throws {
    let model = try Model(Fixtures.small)
    let wrong = ScriptedSource(.modelFile, "another model") { _, _ in true }
    let flaky = ScriptedSource(.network, "a lost peer") { _, _ in throw MissingValue() }
    let loader = loader([wrong, flaky, ScriptedSource.network(model)])
    let pieces = model.spec.pieces.prefix(14)
    for piece in pieces { #expect(try loader.memory(piece, of: model) == (model.spread(piece), .network)) }
    #expect(wrong.timesAsked == 8 && flaky.timesAsked == 14)
    #expect(log.all.filter { $0.contains("another model failed 8 times") }.count == 1)
  }

  @Test("a piece nobody has is an error that says whom was asked")
  func unavailable() throws {
    let model = try Model(Fixtures.small)
    let lost = ScriptedSource(.network, "the coordinator") { _, _ in throw MissingValue() }
    let wrong = ScriptedSource(.modelFile, "the wrong file") { _, _ in true }
    for loader in [loader([StoreSource(store), wrong, lost]), loader([])] {
      let error = #expect(throws: ShardStoreError.self) { try loader.memory(.trunk(1), of: model) }
      #expect(error?.code == .unavailable && error?.message.contains("trunk of layer 1") == true)
    }
    let error = #expect(throws: ShardStoreError.self) {
      try loader([StoreSource(store), wrong, lost]).memory(.trunk(1), of: model)
    }
    for name in [store.directory, "the wrong file", "the coordinator", "MissingValue"] {
      #expect(error?.message.contains(name) == true)
    }
    #expect(store.list().isEmpty)
  }

  @Test("a model file that is cut off while pieces are loaded gives way to the next source")
  func truncatedModel() throws {
    let model = try Model(Fixtures.mixed)
    let path = try folder.copy(Fixtures.mixed, as: "model.gguf")
    let file = ModelFileSource(try ModelPieceReader(spec: ModelSpec(file: GGUFFile.open(path))))
    let piece = PieceID.expert(1, 0)
    let start = try model.layout(piece).parts[0].range.offset
    let both = loader([file, ScriptedSource.network(model)])
    #expect(try both.memory(piece, of: model).origin == .modelFile)
    truncate(path, off_t(start + 1))
    #expect(try both.memory(piece, of: model) == (model.spread(piece), .network))
    #expect(log.all.count == 1 && log.all[0].contains(path))
    let alone = loader([file])
    let error = #expect(throws: ShardStoreError.self) { try alone.memory(piece, of: model) }
    #expect(error?.code == .unavailable && error?.message.contains("shorter") == true)
  }

  @Test("when the store takes no more, loading goes on without it and warns once")
  func brokenStore() throws {
    let model = try Model(Fixtures.small)
    try FileManager.default.removeItem(atPath: store.pieceFolder)
    try write([1], to: store.pieceFolder)
    let loader = loader([StoreSource(store), ScriptedSource.network(model)])
    for piece in model.spec.pieces {
      #expect(try loader.memory(piece, of: model) == (model.spread(piece), .network))
    }
    #expect(log.all.count == 1 && log.all[0].contains(store.pieceFolder))
  }

  @Test("a share larger than the budget is kept as far as it fits, if it is pinned")
  func smallBudget() throws {
    let model = try Model(Fixtures.small)
    let size = try model.entry(.expert(0, 0)).byteCount
    let store = try ShardStore(directory: folder.file("small"), budget: 3 * size)
    store.pin(model.manifest.entries.map(\.digest))
    var origins: [[PieceOrigin]] = []
    for _ in 0..<2 {
      let loader = PieceLoader(
        sources: [StoreSource(store), ScriptedSource.network(model)], store: store, warning: log.add)
      origins.append(try (0..<8).map { try loader.memory(.expert(0, ExpertIndex($0)), of: model).origin })
    }
    #expect(origins[0] == Array(repeating: .network, count: 8))
    #expect(origins[1] == Array(repeating: .store, count: 3) + Array(repeating: .network, count: 5))
    #expect(log.all.count == 2)
  }

  @Test("an entry that contradicts the headers is refused before anything is asked")
  func badEntries() throws {
    let model = try Model(Fixtures.small)
    let source = ScriptedSource.network(model)
    let loader = loader([source])
    let layout = try model.layout(.trunk(0))
    let good = try model.entry(.trunk(0))
    let bad = [
      PieceEntry(id: .trunk(0), byteCount: good.byteCount - 1, digest: good.digest),
      PieceEntry(id: .trunk(0), byteCount: .max, digest: good.digest),
      PieceEntry(id: .trunk(0), byteCount: -1, digest: good.digest),
      PieceEntry(id: .trunk(1), byteCount: good.byteCount, digest: good.digest),
    ]
    var memory = [UInt8](repeating: 0, count: layout.memoryBytes)
    for entry in bad {
      let error = #expect(throws: ShardStoreError.self) {
        try memory.withUnsafeMutableBytes { _ = try loader.load(layout: layout, entry: entry, into: $0) }
      }
      #expect(error?.code == .badEntry)
    }
    for size in [-1, Int.max, 1 << 40] {
      let entry = PieceEntry(id: .header, byteCount: size, digest: good.digest)
      let error = #expect(throws: ShardStoreError.self) { try loader.loadPacked(entry) }
      #expect(error?.code == .badEntry)
    }
    #expect(source.timesAsked == 0)
  }

  @Test("several threads share a loader")
  func concurrently() throws {
    let model = try Model(Fixtures.mixed)
    let loader = loader([StoreSource(store), ScriptedSource.network(model)])
    let pieces = model.spec.pieces
    let expected = try pieces.map { try model.spread($0) }
    let failures = Log()
    sideBySide(3 * pieces.count) { index in
      do {
        let loaded = try loader.memory(pieces[index % pieces.count], of: model)
        if loaded.bytes != expected[index % pieces.count] { failures.add("wrong bytes") }
      } catch {
        failures.add("\(error)")
      }
    }
    #expect(failures.all.isEmpty && log.all.isEmpty)
  }
}
