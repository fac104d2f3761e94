import ArgumentParser
import Cluster
import Foundation
import ShardStore

/// Looks after the shard store of this machine.
struct ShardsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shards", abstract: "List and prune the weights kept on this machine.",
    subcommands: [List.self, Prune.self])

  /// The store; nil when there is none where it is by default.
  /// - Throws: `InputError` when there is none where the user says.
  private static func open(_ path: String?) throws -> ShardStore? {
    let directory = try StoreOpener.directory(path)
    guard ShardStore.exists(at: directory) else {
      guard path == nil else { throw InputError(.noInput, "\(directory): there is no shard store there") }
      Console.error("shoal: there is no shard store yet: \(directory)")
      return nil
    }
    return try ShardStore(directory: directory) { Console.error("shoal: \($0)") }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say which models' weights are stored, how many bytes, and what is in use.")

    @Option(help: "The shard store (default $XDG_CACHE_HOME/shoal).")
    var store: String?
    @Flag(help: "A JSON object instead of text.")
    var json = false
    @Flag(help: "Every piece as well.")
    var verbose = false

    func run() throws {
      try withExitStatus {
        let store = try ShardsCommand.open(self.store)
        let summary = ShardsSummary(
          store: try store?.directory ?? StoreOpener.directory(nil),
          report: store?.report() ?? StoreReport(), hasPieces: verbose)
        try Console.write(json ? ShardsSummary.encoded(summary) : summary.text)
      }
    }
  }

  struct Prune: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Remove stored weights; what a worker has in use stays.")

    @Option(help: "The shard store (default $XDG_CACHE_HOME/shoal).")
    var store: String?
    @Option(help: "Remove what was used least recently until at most so much is left, such as 8GB.")
    var to: String?
    @Flag(help: "Remove everything.")
    var all = false
    @Option(help: "Remove what was not used for so many days.")
    var unusedFor: Double?
    @Flag(help: "Only say what would be removed.")
    var dryRun = false
    @Flag(help: "A JSON object instead of text.")
    var json = false

    func validate() throws {
      guard [to != nil, all, unusedFor != nil].filter({ $0 }).count == 1 else {
        throw ValidationError("give one of --to SIZE, --all and --unused-for DAYS")
      }
      if let to { try ByteCountOption.check("--to", to) }
      if let unusedFor {
        guard (0...36_500).contains(unusedFor) else { throw ValidationError("--unused-for must be 0 to 36500 days") }
      }
    }

    func run() throws {
      try withExitStatus {
        let store = try ShardsCommand.open(self.store)
        let outcome = try store?.prune(goal(), isDryRun: dryRun) ?? PruneOutcome()
        let summary = PruneSummary(outcome, isDryRun: dryRun)
        try Console.write(json ? ShardsSummary.encoded(summary) : summary.text)
      }
    }

    private func goal() -> PruneGoal {
      if let bytes = to.flatMap(ByteCountText.parse) { return .atMost(bytes: bytes) }
      guard let unusedFor else { return .all }
      let since = Date().timeIntervalSince1970 - unusedFor * 86_400
      return .unused(since: Int64(since * 1e9))
    }
  }
}
