import Foundation
import ModelSpec
import Tensors
import Testing

@testable import ShardStore

@Suite struct ShardStoreTests {
  private let folder: TemporaryFolder
  private let model: Model

  init() throws {
    folder = try TemporaryFolder()
    model = try Model(Fixtures.small)
  }

  @Test("pieces come back as they were inserted, also after the store is opened again")
  func roundTrip() throws {
    let store = try ShardStore(directory: folder.file("deep/store"))
    for entry in model.manifest.entries {
      #expect(!store.contains(entry))
      #expect(try store.bytes(entry) == nil)
      #expect(try store.insert(entry.id, of: model))
      #expect(try !store.insert(entry.id, of: model))
    }
    let again = try ShardStore(directory: folder.file("deep/store"))
    for entry in model.manifest.entries {
      #expect(again.contains(entry))
      #expect(try again.bytes(entry) == model.packed(entry.id))
    }
    #expect(Set(again.list().map(\.digest)) == Set(model.manifest.entries.map(\.digest)))
    #expect(again.list().reduce(0) { $0 + $1.byteCount } == model.manifest.byteCount)
  }

  @Test("a piece lies under its digest, for its user only, and nothing else lies there")
  func placement() throws {
    let store = try ShardStore(directory: folder.file("store"))
    let entry = try model.entry(.expert(0, 0))
    try store.insert(entry.id, of: model)
    let name = entry.digest.hexadecimal
    let piece = folder.file("store/pieces/\(name.prefix(2))/\(name)")
    #expect(try read(piece) == model.packed(entry.id))
    #expect(Files.names(in: folder.file("store/pieces/\(name.prefix(2))")) == [name])
    func mode(_ path: String) throws -> Int? {
      try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
    #expect(try mode(piece) == 0o600)
    #expect(try mode(folder.file("store")) == 0o700)
    #expect(try mode(folder.file("store/pieces/\(name.prefix(2))")) == 0o700)
  }

  @Test("reading tells how far the bytes are in place")
  func arrival() throws {
    let store = try ShardStore(directory: folder.path)
    let bytes = (0..<2 * Files.chunkBytes + 100).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let entry = PieceEntry(id: .output, byteCount: bytes.count, digest: PieceHasher.digest(of: bytes))
    try bytes.withUnsafeBytes { _ = try store.insert(entry, $0) }
    var copy = [UInt8](repeating: 0, count: bytes.count)
    var counts: [Int] = []
    try copy.withUnsafeMutableBytes { buffer in
      _ = try store.read(entry, into: buffer) { count in
        counts.append(count)
        #expect(buffer[..<count].elementsEqual(bytes[..<count]))
      }
    }
    #expect(counts == [Files.chunkBytes, 2 * Files.chunkBytes, bytes.count])
  }

  @Test("a stored piece of another size is damaged, and can be inserted again")
  func wrongSize() throws {
    let store = try ShardStore(directory: folder.path)
    let entry = try model.entry(.trunk(0))
    try store.insert(entry.id, of: model)
    for size in [0, entry.byteCount - 1, entry.byteCount + 1] {
      truncate(store.path(entry.digest), off_t(size))
      #expect(!store.contains(entry))
      let error = #expect(throws: ShardStoreError.self) { try store.bytes(entry) }
      #expect(error?.code == .damagedPiece && error?.path == store.path(entry.digest))
      #expect(try store.insert(entry.id, of: model))
      #expect(try store.bytes(entry) == model.packed(entry.id))
    }
  }

  @Test("opening removes what crashed writers left, but not what is being written")
  func leftovers() throws {
    let store = try ShardStore(directory: folder.path)
    let entry = try model.entry(.expert(0, 1))
    try store.insert(entry.id, of: model)
    let crashed = store.place(entry.digest).folder + "/.tmp-crashed"
    let busy = store.place(entry.digest).folder + "/.tmp-busy"
    let crashedManifest = store.manifestFolder + "/.tmp-1"
    for path in [crashed, busy, crashedManifest] { try write([1, 2, 3], to: path) }
    let writer = try required(Files.open(busy))
    #expect(flock(writer.number, LOCK_EX) == 0)
    let again = try ShardStore(directory: folder.path)
    #expect(Files.status(crashed) == nil)
    #expect(Files.status(crashedManifest) == nil)
    #expect(Files.status(busy) != nil)
    #expect(again.contains(entry))
    #expect(again.list().map(\.digest) == [entry.digest])
  }

  @Test("two stores on one folder, several threads each: no piece is ever wrong")
  func concurrently() throws {
    let stores = try (0..<2).map { _ in try ShardStore(directory: folder.path) }
    let model = model
    let pieces = try model.manifest.entries.prefix(8).map { ($0, try model.packed($0.id)) }
    let log = Log()
    sideBySide(8) { thread in
      let store = stores[thread % 2]
      for round in 0..<40 {
        let (entry, bytes) = pieces[(round * (thread + 3)) % pieces.count]
        do {
          try bytes.withUnsafeBytes { _ = try store.insert(entry, $0) }
          if let found = try store.bytes(entry), found != bytes { log.add("wrong bytes") }
          if (round + thread) % 5 == 0 { try store.remove(entry.digest) }
        } catch {
          log.add("\(error)")
        }
      }
    }
    #expect(log.all.isEmpty)
    for (entry, bytes) in pieces {
      try bytes.withUnsafeBytes { _ = try stores[0].insert(entry, $0) }
      #expect(try stores[1].bytes(entry) == bytes)
    }
    let names = stores[0].subfolders.flatMap { Files.names(in: $0) }
    #expect(Set(names) == Set(pieces.map(\.0.digest.hexadecimal)))
  }

  @Test("a folder that may not be written to is read from, and inserting says what to do")
  func readOnly() throws {
    let path = folder.file("store")
    let store = try ShardStore(directory: path)
    let entry = try model.entry(.embedding)
    try store.insert(entry.id, of: model)
    func setModes(_ folderMode: Int, _ fileMode: Int) throws {
      let place = store.place(entry.digest)
      let folders = [place.folder, store.pieceFolder, store.manifestFolder, path]
      for folder in folderMode == 0o555 ? folders : folders.reversed() {
        try FileManager.default.setAttributes([.posixPermissions: folderMode], ofItemAtPath: folder)
      }
      try FileManager.default.setAttributes([.posixPermissions: fileMode], ofItemAtPath: store.path(entry.digest))
    }
    try setModes(0o555, 0o444)
    let model = model
    let expected = try model.packed(.embedding)
    let other = try model.packed(.output)
    let error = try asOrdinaryUser {
      let store = try ShardStore(directory: path)
      #expect(try store.bytes(entry) == expected)
      #expect(throws: ShardStoreError.self) { try store.remove(entry.digest) }
      return #expect(throws: ShardStoreError.self) {
        try other.withUnsafeBytes { _ = try store.insert(model.entry(.output), $0) }
      }
    }
    try setModes(0o755, 0o644)
    #expect(error?.code == .notWritable)
    #expect(error?.description.contains(path) == true && error?.description.contains("--store") == true)
  }

  @Test("a store that cannot be made is refused with path and remedy")
  func notAFolder() throws {
    try write([1], to: folder.file("file"))
    for path in [folder.file("file"), folder.file("file/below")] {
      let error = #expect(throws: ShardStoreError.self) { try ShardStore(directory: path) }
      #expect(error?.code == .io && error?.path?.hasPrefix(folder.file("file")) == true)
    }
    let closed = folder.file("closed")
    try FileManager.default.createDirectory(
      atPath: closed, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o555])
    let error = asOrdinaryUser {
      #expect(throws: ShardStoreError.self) { try ShardStore(directory: closed + "/store") }
    }
    #expect(error?.code == .notWritable && error?.path == closed + "/store")
    #expect(error?.description.contains("--store") == true)
  }

  @Test("the default folder follows the XDG base directory specification")
  func defaultDirectory() {
    func directory(_ environment: [String: String]) -> String? {
      ShardStore.defaultDirectory(environment: environment)
    }
    #expect(directory(["XDG_CACHE_HOME": "/cache", "HOME": "/home/me"]) == "/cache/shoal")
    #expect(directory(["HOME": "/home/me"]) == "/home/me/.cache/shoal")
    #expect(directory(["HOME": "/"]) == "/.cache/shoal")
    #expect(directory(["XDG_CACHE_HOME": "", "HOME": "/home/me"]) == "/home/me/.cache/shoal")
    #expect(directory(["XDG_CACHE_HOME": "relative", "HOME": "/home/me"]) == "/home/me/.cache/shoal")
    #expect(directory([:]) == nil)
  }
}
