import Foundation
import ModelSpec
import Tensors
import Testing

@testable import ShardStore

@Suite struct ShardStoreBudgetTests {
  private let folder: TemporaryFolder
  private let model: Model
  /// Eight pieces of the same size.
  private let experts: [PieceEntry]
  private let size: Int

  init() throws {
    folder = try TemporaryFolder()
    let model = try Model(Fixtures.small)
    experts = try (0..<8).map { try model.entry(.expert(0, ExpertIndex($0))) }
    size = experts[0].byteCount
    self.model = model
  }

  /// Which of the experts are in the store.
  private func stored(_ store: ShardStore) -> [Int] { experts.indices.filter { store.contains(experts[$0]) } }

  /// Sets when a piece was last used, in seconds since 1970.
  private func setUse(_ index: Int, _ seconds: Int, in store: ShardStore) {
    let time = timespec(tv_sec: seconds, tv_nsec: 0)
    utimensat(AT_FDCWD, store.path(experts[index].digest), [time, time], 0)
  }

  private func fill(_ store: ShardStore, _ count: Int) throws {
    for index in 0..<count {
      try store.insert(experts[index].id, of: model)
      setUse(index, 1000 + index, in: store)
    }
  }

  @Test("the piece used least recently makes room; reading is use, and so is inserting again")
  func leastRecentlyUsed() throws {
    let store = try ShardStore(directory: folder.path, budget: 4 * size + 1)
    try fill(store, 4)
    _ = try store.bytes(experts[0])
    try store.insert(experts[1].id, of: model)
    try store.insert(experts[4].id, of: model)
    #expect(stored(store) == [0, 1, 3, 4])
    try store.insert(experts[5].id, of: model)
    #expect(stored(store) == [0, 1, 4, 5])
  }

  @Test("use by another process counts")
  func useElsewhere() throws {
    let store = try ShardStore(directory: folder.path, budget: 2 * size)
    try fill(store, 2)
    _ = try ShardStore(directory: folder.path).bytes(experts[0])
    try store.insert(experts[2].id, of: model)
    #expect(stored(store) == [0, 2])
  }

  @Test("what another process inserted is counted once the budget may be reached")
  func insertedElsewhere() throws {
    let store = try ShardStore(directory: folder.path, budget: 4 * size)
    try fill(store, 1)
    let other = try ShardStore(directory: folder.path)
    for index in 1..<6 { try other.insert(experts[index].id, of: model) }
    try store.insert(experts[6].id, of: model)
    #expect(stored(store).count == 4 && stored(store).contains(6))
  }

  @Test("pieces in use are not evicted; when nothing else is left, the insert is refused and nothing is lost")
  func pinned() throws {
    let store = try ShardStore(directory: folder.path, budget: 3 * size)
    try fill(store, 3)
    store.pin([experts[0].digest, experts[1].digest])
    store.pin([experts[0].digest])
    try store.insert(experts[3].id, of: model)
    #expect(stored(store) == [0, 1, 3])
    store.pin([experts[3].digest])
    let error = #expect(throws: ShardStoreError.self) { try store.insert(experts[4].id, of: model) }
    #expect(error?.code == .overBudget && error?.path == folder.path)
    #expect(stored(store) == [0, 1, 3])
    store.unpin([experts[0].digest, experts[1].digest])
    try store.insert(experts[4].id, of: model)
    #expect(stored(store) == [0, 3, 4])
  }

  @Test("a piece larger than the budget is refused and evicts nothing")
  func tooLarge() throws {
    let store = try ShardStore(directory: folder.path, budget: 2 * size)
    try fill(store, 2)
    let large = try #require(model.manifest.entries.first { $0.byteCount > 2 * size })
    let error = #expect(throws: ShardStoreError.self) { try store.insert(large.id, of: model) }
    #expect(error?.code == .overBudget)
    #expect(stored(store) == [0, 1])
    let none = try ShardStore(directory: folder.path, budget: 0)
    #expect(throws: ShardStoreError.self) { try none.insert(experts[3].id, of: model) }
  }

  @Test("threads that insert at once keep the budget together")
  func concurrently() throws {
    let store = try ShardStore(directory: folder.path, budget: 3 * size)
    let pieces = try experts.map { ($0, try model.packed($0.id)) }
    let log = Log()
    sideBySide(8) { index in
      do {
        try pieces[index].1.withUnsafeBytes { _ = try store.insert(pieces[index].0, $0) }
      } catch {
        // Threads may meet a budget full of pieces that are being written.
        if (error as? ShardStoreError)?.code != .overBudget { log.add("\(error)") }
      }
    }
    #expect(log.all.isEmpty)
    #expect((1...3).contains(stored(store).count))
    try store.insert(experts[0].id, of: model)
    #expect(stored(store).contains(0) && stored(store).count <= 3)
  }

  @Test("the list begins with the piece used least recently and shows nothing but pieces")
  func list() throws {
    let store = try ShardStore(directory: folder.path)
    try fill(store, 3)
    setUse(1, 500, in: store)
    for name in ["ab", "zz", "abc"] {
      try FileManager.default.createDirectory(
        atPath: store.pieceFolder + "/" + name, withIntermediateDirectories: true)
      try write([1], to: store.pieceFolder + "/\(name)/notes")
      try write([1], to: store.pieceFolder + "/\(name)/" + String(repeating: "c", count: 64))
    }
    let list = store.list()
    #expect(list.map(\.digest) == [1, 0, 2].map { experts[$0].digest })
    #expect(list.map(\.lastUsed) == [500, 1000, 1002].map { $0 * 1_000_000_000 })
    #expect(list.allSatisfy { $0.byteCount == size })
  }

  @Test("pruning keeps what is named and what is in use")
  func prune() throws {
    let store = try ShardStore(directory: folder.path)
    try fill(store, 5)
    store.pin([experts[4].digest])
    let removed = try store.prune(keeping: [experts[1].digest, experts[7].digest])
    #expect(removed.map(\.digest) == [0, 2, 3].map { experts[$0].digest })
    #expect(stored(store) == [1, 4])
    store.unpin([experts[4].digest])
    #expect(try store.prune(keeping: []).count == 2)
    #expect(store.list().isEmpty)
  }
}
