import ArgumentParser
import Cluster
import Foundation
import GGUF
import ModelSpec
import Tensors
import Wire

/// Tools for topology files.
struct TopologyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "topology", abstract: "Validate, draw, compare and propose topology files.",
    subcommands: [Check.self, Show.self, Diff.self, Plan.self])

  /// A topology, placed on its model.
  struct Placed {
    let topology: Topology
    let facts: ModelFacts
    let placement: Placement
    let context: Int
    let memory: MemoryPlan
    let sizes: ModelSizes

    init(path: String, model: String?) throws {
      topology = try TopologyFile.read(path)
      let spec = try ModelSpec(file: GGUFFile.open(model ?? topology.modelPath))
      facts = ModelFacts(spec)
      placement = try topology.place(facts)
      context = try topology.contextLength(for: facts)
      sizes = ModelSizes(spec, keyValueType: topology.keyValueType.value)
      memory = MemoryPlan(
        placement: placement, facts: facts, sizes: sizes,
        context: context, sequences: topology.sequences.value, rows: ClusterPlan.subBatchRows)
      try memory.check(topology)
    }
  }

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Say what is wrong with a topology, with its line.")

    @Argument(help: "The topology file.")
    var file = "topology.json"
    @Option(help: "The GGUF file, instead of the topology's model.")
    var model: String?

    func run() throws {
      try withExitStatus {
        let placed = try Placed(path: file, model: model)
        for warning in placed.topology.warnings(placed.facts) { Console.error("\(warning)") }
        let stages = placed.placement.stages.count
        let nodes = placed.placement.nodes.count
        try Console.write(
          "\(file): \(nodes) \(nodes == 1 ? "node" : "nodes"), \(stages) \(stages == 1 ? "stage" : "stages"), "
            + "\(placed.facts.layerCount) layers: fine\n")
      }
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Draw who holds what, with bytes per node; with --coordinator, what a running cluster does.")

    @Argument(help: "The topology file.")
    var file = "topology.json"
    @Option(help: "A running coordinator (shoal serve) at HOST:PORT, whose placement is shown instead of a file's.")
    var coordinator: String?
    @Option(help: "The GGUF file, instead of the topology's model.")
    var model: String?
    @Flag(help: "A JSON object instead of a drawing.")
    var json = false

    func run() throws {
      try withExitStatus {
        if let coordinator { return try showRunning(coordinator) }
        let placed = try Placed(path: file, model: model)
        let report = TopologyReport(
          topology: placed.topology, placement: placed.placement, facts: placed.facts, context: placed.context,
          memory: placed.memory)
        try Console.write(json ? try encoded(report) : TopologyDrawing(report).text)
      }
    }

    private func showRunning(_ address: String) throws {
      var option = CoordinatorOption()
      option.coordinator = address
      guard case .topologyStatus(let status) = try option.ask(.topologyRequest(JobsRequest(request: 1))) else {
        throw InputError(.software, "the coordinator answered something else than was asked")
      }
      let text = TopologyStatusText(status)
      try Console.write(json ? try text.json() : text.text)
    }

    private func encoded(_ report: TopologyReport) throws -> String {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      return String(decoding: try encoder.encode(report), as: UTF8.self) + "\n"
    }
  }
}
