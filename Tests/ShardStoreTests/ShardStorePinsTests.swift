import Foundation
import ModelSpec
import Synchronization
import Tensors
import Testing

@testable import ShardStore

/// Two values on one folder stand for two processes: a lock belongs to an open file, not to a process.
@Suite struct ShardStorePinsTests {
  private let folder: TemporaryFolder
  private let model: Model
  /// Eight pieces of the same size.
  private let experts: [PieceEntry]

  init() throws {
    folder = try TemporaryFolder()
    let model = try Model(Fixtures.small)
    experts = try (0..<8).map { try model.entry(.expert(0, ExpertIndex($0))) }
    self.model = model
  }

  private func stored(_ store: ShardStore) -> [Int] { experts.indices.filter { store.contains(experts[$0]) } }

  private func fill(_ store: ShardStore, _ count: Int) throws {
    for index in 0..<count { try store.insert(experts[index].id, of: model) }
  }

  @Test("pieces another process has in use are neither pruned nor evicted, until it lets go or ends")
  func elsewhere() throws {
    let size = experts[0].byteCount
    let store = try ShardStore(directory: folder.path, budget: 3 * size)
    try fill(store, 3)
    do {
      let other = try ShardStore(directory: folder.path)
      other.pin([experts[0].digest, experts[1].digest])
      other.pin([experts[1].digest, experts[2].digest])
      #expect(try store.prune(keeping: []).isEmpty)
      let error = #expect(throws: ShardStoreError.self) { try store.insert(experts[3].id, of: model) }
      #expect(error?.code == .overBudget)
      other.unpin([experts[0].digest, experts[1].digest])
      try store.insert(experts[3].id, of: model)
      #expect(stored(store) == [1, 2, 3])
      #expect(Files.names(in: store.pinFolder).count == 1)
    }
    #expect(Files.names(in: store.pinFolder).isEmpty)
    #expect(try store.prune(keeping: []).count == 3)
  }

  @Test("a file of pins is there while pieces are in use, and no longer")
  func file() throws {
    let store = try ShardStore(directory: folder.path)
    #expect(Files.names(in: store.pinFolder).isEmpty)
    store.pin([experts[0].digest])
    store.pin([experts[0].digest])
    #expect(Files.names(in: store.pinFolder) == [store.pinName])
    #expect(PinList.processID(ofFileName: store.pinName) == getpid())
    store.unpin([experts[0].digest])
    #expect(PinScan(folder: store.pinFolder).users == [experts[0].digest: [getpid()]])
    store.unpin([experts[0].digest])
    #expect(Files.names(in: store.pinFolder).isEmpty)
  }

  @Test("what a crashed process had in use goes, and its file with it")
  func crashed() throws {
    let store = try ShardStore(directory: folder.path)
    try fill(store, 1)
    try Files.makeFolder(store.pinFolder)
    try write(PinList([experts[0].digest]).encoded(), to: store.pinFolder + "/1-1")
    #expect(try store.prune(keeping: []).count == 1)
    #expect(Files.names(in: store.pinFolder).isEmpty)
  }

  @Test("a piece that comes into use while it is being pruned stays")
  func pinnedMeanwhile() throws {
    let store = try ShardStore(directory: folder.path)
    try fill(store, 2)
    let pieces = store.list()
    let other = try ShardStore(directory: folder.path)
    var scan = PinScan(folder: store.pinFolder)
    other.pin([pieces[0].digest])
    #expect(try store.removeUnused(pieces[0], &scan, isPinnedHere: false) == .kept)
    #expect(try store.removeUnused(pieces[1], &scan, isPinnedHere: true) == .kept)
    #expect(store.list() == pieces)
    #expect(try store.removeUnused(pieces[1], &scan, isPinnedHere: false) == .removed)
    #expect(try store.removeUnused(pieces[1], &scan, isPinnedHere: false) == .gone)
    #expect(store.list() == [pieces[0]])
    #expect(Files.names(in: store.place(pieces[0].digest).folder) == [pieces[0].digest.hexadecimal])
  }

  @Test("who pins first and then finds a piece keeps it, whatever others prune")
  func pinThenLook() throws {
    let stores = try (0..<4).map { _ in try ShardStore(directory: folder.path) }
    let experts = experts
    let pieces = try experts.map { try model.packed($0.id) }
    let log = Log()
    let found = Mutex<Set<Int>>([])
    for round in 0..<60 {
      found.withLock { $0 = [] }
      for index in experts.indices {
        try pieces[index].withUnsafeBytes { _ = try stores[0].insert(experts[index], $0) }
      }
      sideBySide(4) { thread in
        do {
          if thread < 2 {
            for index in experts.indices where index % 2 == thread {
              stores[thread].pin([experts[index].digest])
              if stores[thread].contains(experts[index]) { found.withLock { _ = $0.insert(index) } }
            }
          } else {
            _ = try stores[thread].prune(.all)
          }
        } catch {
          log.add("round \(round): \(error)")
        }
      }
      let missing = found.withLock { $0 }.filter { !stores[0].contains(experts[$0]) }
      #expect(missing.isEmpty, "round \(round)")
      for thread in 0..<2 {
        stores[thread].unpin(experts.indices.filter { $0 % 2 == thread }.map { experts[$0].digest })
      }
    }
    #expect(log.all.isEmpty)
  }

  @Test("where nothing may be written, pins hold in this process, silently")
  func readOnly() throws {
    let log = Log()
    let store = try ShardStore(directory: folder.file("store"), warning: log.add)
    try fill(store, 2)
    chmod(store.directory, 0o555)
    asOrdinaryUser { store.pin([experts[0].digest]) }
    chmod(store.directory, 0o700)
    #expect(log.all.isEmpty && Files.names(in: store.pinFolder).isEmpty)
    #expect(try store.prune(keeping: []).map(\.digest) == [experts[1].digest])
    asOrdinaryUser { store.unpin([experts[0].digest]) }
    #expect(try store.prune(keeping: []).count == 1)
  }

  @Test("pins that cannot be told are warned of once, and told as soon as it is possible")
  func untold() throws {
    let log = Log()
    let store = try ShardStore(directory: folder.path, warning: log.add)
    try write([1], to: store.pinFolder)
    store.pin([experts[0].digest])
    store.pin([experts[0].digest])
    #expect(log.all.count == 1 && log.all[0].contains(store.pinFolder))
    unlink(store.pinFolder)
    store.pin([experts[0].digest])
    #expect(PinScan(folder: store.pinFolder).contains(experts[0].digest))
    #expect(log.all.count == 1)
  }

  @Test("pins whose folder was deleted are told again with the next piece")
  func deleted() throws {
    let store = try ShardStore(directory: folder.path)
    store.pin([experts[0].digest])
    try FileManager.default.removeItem(atPath: store.pinFolder)
    try fill(store, 1)
    #expect(try ShardStore(directory: folder.path).prune(keeping: []).isEmpty)
    #expect(stored(store) == [0])
  }

  @Test("a damaged piece is removed, in use or not")
  func damaged() throws {
    let store = try ShardStore(directory: folder.path)
    let other = try ShardStore(directory: folder.path)
    try fill(store, 1)
    store.pin([experts[0].digest])
    other.pin([experts[0].digest])
    try write([UInt8](repeating: 0, count: experts[0].byteCount), to: store.path(experts[0].digest))
    let network = ScriptedSource.network(model)
    let loader = PieceLoader(sources: [StoreSource(store), network], store: store)
    #expect(try loader.memory(experts[0].id, of: model).origin == .network)
    #expect(try store.bytes(experts[0]) == model.packed(experts[0].id))
  }
}
