import Foundation
import ModelSpec
import Tensors
import Testing

@testable import ShardStore

/// A disk of a given size that is gone with its owner; needs a superuser who may mount.
private final class SmallDisk {
  let folder: TemporaryFolder

  init?(byteCount: Int) {
    guard let folder = try? TemporaryFolder() else { return nil }
    self.folder = folder
    #if os(Linux)
      guard geteuid() == 0, mount("shoal-tests", folder.path, "tmpfs", 0, "size=\(byteCount)") == 0 else { return nil }
    #else
      return nil
    #endif
  }

  deinit {
    #if os(Linux)
      umount2(folder.path, Int32(MNT_DETACH))
    #endif
  }

  static let isPossible = SmallDisk(byteCount: 1 << 20) != nil
}

/// What may happen to the folder of a store while it is used.
@Suite struct ShardStoreFailureTests {
  private let folder: TemporaryFolder
  private let model: Model
  private let log = Log()

  init() throws {
    folder = try TemporaryFolder()
    model = try Model(Fixtures.small)
  }

  /// Everything in the folders of pieces.
  private func names(_ store: ShardStore) -> Set<String> { Set(store.subfolders.flatMap { Files.names(in: $0) }) }

  @Test(
    "a disk that becomes full leaves whole pieces only, and loading goes on with one warning",
    .enabled(if: SmallDisk.isPossible, "needs a superuser who may mount a small file system"))
  func fullDisk() throws {
    let size = try model.entry(.expert(0, 0)).byteCount
    let disk = try required(SmallDisk(byteCount: 5 * size / 4096 * 4096))
    let store = try ShardStore(directory: disk.folder.file("store"), warning: log.add)
    let network = ScriptedSource.network(model)
    let loader = PieceLoader(sources: [StoreSource(store), network], store: store, warning: log.add)
    for piece in model.spec.pieces {
      #expect(try loader.memory(piece, of: model) == (model.spread(piece), .network))
    }
    #expect(log.all.count == 1 && log.all[0].contains("shoal shards prune"))
    let stored = store.list()
    #expect(!stored.isEmpty && stored.count < model.spec.pieces.count)
    #expect(names(store) == Set(stored.map(\.digest.hexadecimal)))
    for entry in model.manifest.entries where store.contains(entry) {
      #expect(try store.bytes(entry) == model.packed(entry.id))
    }
    // Nor can others be told now what is in use; that is no reason to fail.
    store.pin((0..<10_000).map { PieceHasher.digest(of: [UInt8($0 & 255), UInt8($0 >> 8)]) })
    #expect(log.all.count == 2)
    #expect(Files.names(in: store.pinFolder).isEmpty)
  }

  @Test("a store deleted under its user is made again by the next piece, manifest and pins")
  func deletedStore() throws {
    let store = try ShardStore(directory: folder.file("store"), warning: log.add)
    let loader = PieceLoader(
      sources: [StoreSource(store), ScriptedSource.network(model)], store: store, warning: log.add)
    store.pin(model.manifest.entries.map(\.digest))
    for round in 0..<2 {
      for piece in model.spec.pieces.prefix(3) {
        #expect(try loader.memory(piece, of: model) == (model.spread(piece), .network))
        #expect(try loader.memory(piece, of: model) == (model.spread(piece), .store))
      }
      _ = try store.manifest(for: model.spec, reader: model.reader.reader)
      #expect(Files.names(in: store.manifestFolder).count == 1)
      #expect(try ShardStore(directory: store.directory).prune(.all).removed.count == 0, "round \(round)")
      try FileManager.default.removeItem(atPath: store.directory)
    }
    #expect(log.all.isEmpty)
  }

  @Test("deleting the store again and again while threads load: every piece is right")
  func deletedMeanwhile() throws {
    let model = model
    let log = log
    let store = try ShardStore(directory: folder.file("store"))
    let pieces = Array(model.spec.pieces.prefix(8))
    let expected = try pieces.map { try model.spread($0) }
    sideBySide(3) { thread in
      for round in 0..<30 {
        guard thread > 0 else {
          try? FileManager.default.removeItem(atPath: store.directory)
          continue
        }
        let loader = PieceLoader(sources: [StoreSource(store), ScriptedSource.network(model)], store: store)
        let index = (round * (thread + 2)) % pieces.count
        do {
          if try loader.memory(pieces[index], of: model).bytes != expected[index] { log.add("wrong bytes") }
        } catch {
          log.add("\(error)")
        }
      }
    }
    #expect(log.all.isEmpty)
  }

  @Test("a wrong piece is removed, and the next source asked; one that another process made good meanwhile stays")
  func repairedMeanwhile() throws {
    let store = try ShardStore(directory: folder.file("store"))
    let entry = try model.entry(.trunk(0))
    try store.insert(entry.id, of: model)
    StoreSource(store).reject(entry)
    #expect(try store.bytes(entry) == model.packed(entry.id))
    var bytes = try model.packed(entry.id)
    bytes[bytes.count / 2] ^= 4
    try write(bytes, to: store.path(entry.digest))
    StoreSource(store).reject(entry)
    #expect(names(store).isEmpty)
  }

  @Test("processes that damage, load and prune at once: no piece is ever wrong")
  func racing() throws {
    let model = model
    let log = log
    let path = folder.file("store")
    let stores = try (0..<3).map { _ in try ShardStore(directory: path) }
    let pieces = Array(model.spec.pieces.prefix(6))
    let expected = try pieces.map { try model.spread($0) }
    let entries = try pieces.map { try model.entry($0) }
    sideBySide(4) { thread in
      let store = stores[thread % 3]
      for round in 0..<60 {
        let index = (round * (thread + 1) + thread) % pieces.count
        do {
          guard thread < 3 else {
            if round % 7 == 0 { _ = try store.prune(.all) }
            let damaged = open(store.path(entries[index].digest), O_WRONLY)
            if damaged >= 0 {
              _ = pwrite(damaged, [UInt8(round), 1, 2], 3, off_t(round))
              close(damaged)
            }
            continue
          }
          let loader = PieceLoader(sources: [StoreSource(store), ScriptedSource.network(model)], store: store)
          if try loader.memory(pieces[index], of: model).bytes != expected[index] { log.add("wrong bytes") }
        } catch {
          log.add("\(error)")
        }
      }
    }
    #expect(log.all.isEmpty)
    #expect(!names(stores[0]).contains { $0.hasPrefix(Files.temporaryPrefix) })
  }
}
