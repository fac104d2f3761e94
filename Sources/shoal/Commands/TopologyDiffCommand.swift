import ArgumentParser
import Cluster
import Foundation
import Tensors
import Wire

extension TopologyCommand {
  /// What an edit would move.
  struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say what an edited topology would move: experts, layers, bytes, from where, in how many waves.")

    @Argument(help: "The topology file to come; before it, unless --coordinator is given, the one to compare it with.")
    var files: [String] = []
    @Option(help: "A running coordinator (shoal serve) at HOST:PORT, whose placement is compared.")
    var coordinator: String?
    @Option(help: "The GGUF file, instead of the topology's model.")
    var model: String?
    @Flag(help: "A JSON object instead of text.")
    var json = false

    func validate() throws {
      let wanted = coordinator == nil ? 2 : 1
      guard files.count == wanted || (files.isEmpty && coordinator != nil) else {
        throw ValidationError("give two topology files, or one and --coordinator HOST:PORT")
      }
    }

    func run() throws {
      try withExitStatus {
        let next = try Placed(path: files.last ?? "topology.json", model: model)
        let before = try placementBefore()
        if let problem = before?.problem(for: next.facts) {
          throw InputError(.badData, "what the topology is compared with is of another model: \(problem)")
        }
        let limits = next.memoryLimits
        let waves = try TransitionPlan.waves(
          from: before, to: next.placement, facts: next.facts, sizes: next.sizes, limits: limits,
          context: next.context, sequences: next.topology.sequences.value, rows: ClusterPlan.subBatchRows)
        let change = PlacementChange(from: before, to: next.placement, facts: next.facts, sizes: next.sizes)
        let steps = PlacementChange.steps(from: before, through: waves, facts: next.facts, sizes: next.sizes)
        try Console.write(json ? try encoded(PlacementChangeReport(change, waves: steps)) : change.text(waves: steps))
      }
    }

    private func placementBefore() throws -> Placement? {
      guard let coordinator else { return try Placed(path: files[0], model: model).placement }
      var option = CoordinatorOption()
      option.coordinator = coordinator
      guard case .topologyStatus(let status) = try option.ask(.topologyRequest(JobsRequest(request: 1))) else {
        throw InputError(.software, "the coordinator answered something else than was asked")
      }
      return status.placement
    }

    private func encoded(_ report: PlacementChangeReport) throws -> String {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      return String(decoding: try encoder.encode(report), as: UTF8.self) + "\n"
    }
  }
}

extension TopologyCommand.Placed {
  /// The limits that the file states.
  var memoryLimits: [NodeID: Int] {
    var limits: [NodeID: Int] = [:]
    for node in topology.nodes { limits[node.name.value] = node.memoryBytes?.value }
    return limits
  }
}
