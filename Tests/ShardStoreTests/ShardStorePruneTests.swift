import Foundation
import ModelSpec
import Tensors
import Testing

@testable import ShardStore

@Suite struct ShardStorePruneTests {
  private let folder: TemporaryFolder
  private let store: ShardStore
  private let other: ShardStore
  /// Six pieces of the same size; the piece i was last used i seconds after the thousandth since 1970.
  private let experts: [PieceEntry]
  private let size: Int

  init() throws {
    folder = try TemporaryFolder()
    store = try ShardStore(directory: folder.path)
    other = try ShardStore(directory: folder.path)
    let model = try Model(Fixtures.small)
    experts = try (0..<6).map { try model.entry(.expert(0, ExpertIndex($0))) }
    size = experts[0].byteCount
    for (index, entry) in experts.enumerated() {
      try store.insert(entry.id, of: model)
      let time = timespec(tv_sec: 1000 + index, tv_nsec: 0)
      utimensat(AT_FDCWD, store.path(entry.digest), [time, time], 0)
    }
  }

  private var stored: [Int] { experts.indices.filter { store.contains(experts[$0]) } }

  /// Prunes twice: only to say what would happen, which changes nothing, then in earnest, which does just that.
  private func prune(_ goal: PruneGoal) throws -> PruneOutcome {
    let before = stored
    let foretold = try store.prune(goal, isDryRun: true)
    #expect(stored == before)
    let outcome = try store.prune(goal)
    #expect(outcome == foretold)
    #expect(outcome.removed.byteCount == outcome.removed.count * size)
    #expect(outcome.keptInUse.byteCount == outcome.keptInUse.count * size)
    #expect(outcome.remaining.count == stored.count && outcome.remaining.byteCount == stored.count * size)
    return outcome
  }

  @Test("everything but what is in use, here or elsewhere")
  func all() throws {
    store.pin([experts[1].digest])
    other.pin([experts[4].digest])
    let outcome = try prune(.all)
    #expect(stored == [1, 4] && outcome.removed.count == 4 && outcome.keptInUse.count == 2)
  }

  @Test("the pieces used least recently, down to a size; a piece in use is passed over", arguments: 0...7)
  func size(pieces: Int) throws {
    other.pin([experts[0].digest, experts[3].digest])
    let outcome = try prune(.atMost(bytes: pieces * size + size / 2))
    let all = [0, 1, 2, 3, 4, 5]
    #expect(stored == [[0, 3], [0, 3], [0, 3], [0, 3, 5], [0, 3, 4, 5], [0, 2, 3, 4, 5], all, all][pieces])
    #expect(outcome.keptInUse.count == [2, 2, 2, 2, 1, 1, 0, 0][pieces])
  }

  @Test("those not used since a time")
  func time() throws {
    other.pin([experts[0].digest])
    let outcome = try prune(.unused(since: 1003 * 1_000_000_000))
    #expect(stored == [0, 3, 4, 5] && outcome.removed.count == 2 && outcome.keptInUse.count == 1)
  }

  @Test("an empty store is pruned to nothing")
  func empty() throws {
    _ = try store.prune(.all)
    #expect(try prune(.all) == PruneOutcome())
  }

  @Test("a piece that may not be removed is an error")
  func refused() throws {
    let folders = [folder.path, store.pieceFolder] + experts.map { store.place($0.digest).folder }
    for entry in experts { chmod(store.path(entry.digest), 0o644) }
    for folder in folders { chmod(folder, 0o555) }
    let error = asOrdinaryUser { #expect(throws: ShardStoreError.self) { try store.prune(.all) } }
    for folder in folders { chmod(folder, 0o700) }
    #expect(error?.code == .notWritable && stored == [0, 1, 2, 3, 4, 5])
  }
}
