import Foundation
import Testing

extension CommandLineTests {
  @Suite("the shard store")
  struct ShardsCommandTests {
    private struct Listed: Decodable {
      struct Tally: Decodable, Equatable {
        let pieces: Int
        let bytes: Int
      }

      struct Model: Decodable {
        let path: String?
        let stored: Tally
      }

      struct Piece: Decodable {
        let name: String?
        let bytes: Int
        let users: [Int32]
      }

      let stored: Tally
      let inUse: Tally
      let models: [Model]
      let pieces: [Piece]?
    }

    private struct Pruned: Decodable {
      let dryRun: Bool
      let removed: Listed.Tally
      let keptInUse: Listed.Tally
      let remaining: Listed.Tally
    }

    private func json<Value: Decodable>(_ arguments: [String], as _: Value.Type = Value.self) throws -> Value {
      let outcome = try RunningShoal.run(["shards"] + arguments + ["--json"])
      try #require(outcome.status == 0, "\(outcome.errors)")
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      return try decoder.decode(Value.self, from: outcome.output)
    }

    private func generate(_ store: String, _ options: [String] = []) throws -> Int {
      let arguments = ["--store", store, "--tokens", "1,2,3", "--max-tokens", "2"] + options
      return try RunningShoal.generate(arguments)[0].wire.weightBytes
    }

    @Test("what a generation left is listed by model and piece, and pruned")
    func listAndPrune() throws {
      let store = try Workshop.folder("shards-store").path
      #expect(try generate(store) > 12_000_000)
      let list: Listed = try json(["list", "--store", store, "--verbose"])
      #expect(list.models.map(\.path) == [Workshop.model.path])
      #expect(list.models.map(\.stored) == [list.stored] && list.inUse.pieces == 0)
      let pieces = try #require(list.pieces)
      #expect(pieces.count == list.stored.pieces && pieces.reduce(0) { $0 + $1.bytes } == list.stored.bytes)
      #expect(pieces.contains { $0.name == "expert 3 of layer 5" } && pieces.allSatisfy { $0.users.isEmpty })
      let text = try RunningShoal.run(["shards", "list", "--store", store, "--verbose"]).text
      for part in ["expert 3 of layer 5", Workshop.model.path, store] { #expect(text.contains(part), "\(text)") }

      let dry: Pruned = try json(["prune", "--store", store, "--to", "5MB", "--dry-run"])
      #expect(dry.dryRun && dry.remaining.bytes <= 5_000_000)
      #expect(try json(["list", "--store", store], as: Listed.self).stored == list.stored)
      let pruned: Pruned = try json(["prune", "--store", store, "--to", "5MB"])
      #expect(pruned.removed == dry.removed && pruned.remaining == dry.remaining && pruned.keptInUse.pieces == 0)
      #expect(try json(["list", "--store", store], as: Listed.self).stored == pruned.remaining)
      let fresh: Pruned = try json(["prune", "--store", store, "--unused-for", "1"])
      #expect(fresh.removed.pieces == 0)
      let all: Pruned = try json(["prune", "--store", store, "--all"])
      #expect(all.removed == pruned.remaining && all.remaining.pieces == 0)
      #expect(try generate(store) > 12_000_000)
    }

    @Test("what running workers have in use stays, and counts no more when they were killed")
    func inUse() throws {
      let store = try Workshop.folder("shards-used").path
      let names = ["reef", "cove", "sound"]
      let cluster = try HandMadeCluster(
        .three, arguments: Dictionary(uniqueKeysWithValues: names.map { ($0, ["--store", store]) }))
      let list: Listed = try json(["list", "--store", store, "--verbose"])
      #expect(list.stored.pieces > 100 && list.inUse == list.stored)
      #expect(Set(list.pieces?.flatMap(\.users) ?? []).count == names.count)
      let kept: Pruned = try json(["prune", "--store", store, "--all"])
      #expect(kept.removed.pieces == 0 && kept.keptInUse == list.stored)
      for worker in cluster.workers.values { worker.send(SIGKILL) }
      for worker in cluster.workers.values { _ = try worker.finish() }
      let pruned: Pruned = try json(["prune", "--store", store, "--all"])
      #expect(pruned.removed == list.stored && pruned.keptInUse.pieces == 0)
      cluster.coordinator.send(SIGTERM)
      _ = try cluster.coordinator.finish()
    }

    @Test("a budget holds for local workers: the rest of their shares is sent again")
    func budget() throws {
      let store = try Workshop.folder("shards-budget").path
      #expect(try generate(store, ["--store-budget", "4MB"]) > 12_000_000)
      let list: Listed = try json(["list", "--store", store])
      // Three workers that fill one folder may pass the budget by a sixteenth and a piece each.
      #expect((3_000_000...6_000_000).contains(list.stored.bytes))
      let moved = try generate(store, ["--store-budget", "4MB"])
      #expect((6_000_000...10_000_000).contains(moved))
    }

    @Test("wrong options and folders are refused with what to do")
    func refused() throws {
      for arguments in [
        ["prune"], ["prune", "--all", "--to", "1GB"], ["prune", "--to", "many"], ["prune", "--unused-for", "1e9"],
      ] {
        let outcome = try RunningShoal.run(["shards"] + arguments)
        #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome.errors)")
      }
      let worker = try RunningShoal.run(["worker", "--store-budget", "much"])
      #expect(worker.status == 64 && worker.errors.contains("--store-budget"))
      for command in [["list"], ["prune", "--all"]] {
        let outcome = try RunningShoal.run(["shards"] + command + ["--store", "/nonexistent/store"])
        #expect(outcome.status == 66 && outcome.errors.contains("/nonexistent/store"))
      }
    }
  }
}
