import ArgumentParser
import Cluster
import ModelSpec
import Tensors
import Wire

extension TopologyCommand {
  /// A topology made from what was measured.
  struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Propose a topology that balances what a running cluster measured; print it, to be read and saved.")

    @Argument(help: "The topology file to start from.")
    var file = "topology.json"
    @Flag(name: .customLong("from-load"), help: "Balance the measured use of experts, memory and node speed.")
    var fromLoad = false
    @Option(help: "The running coordinator (shoal serve) at HOST:PORT.")
    var coordinator = "127.0.0.1:7069"
    @Option(help: "The GGUF file, instead of the topology's model.")
    var model: String?

    func validate() throws {
      guard fromLoad else { throw ValidationError("say what to plan from: --from-load") }
    }

    func run() throws {
      try withExitStatus {
        let placed = try Placed(path: file, model: model)
        var option = CoordinatorOption()
        option.coordinator = coordinator
        guard case .loadReport(let load) = try option.ask(.loadRequest(JobsRequest(request: 1))) else {
          throw InputError(.software, "the coordinator answered something else than was asked")
        }
        guard let plan = Self.plan(placed, load) else {
          throw InputError(.badData, "\(file): the placement has something on a node that the topology does not name")
        }
        for node in plan.loads {
          Console.error(
            "\(node.name): \(Self.percent(node.before, plan)) of the load now, \(Self.percent(node.after, plan)) then")
        }
        try Console.write(plan.text)
      }
    }

    private static func plan(_ placed: Placed, _ load: LoadReport) -> LoadPlan? {
      var use = ExpertUse(placed.facts)
      // Shares of a layer's choices, as counts that stand in the same ratio.
      for layer in load.layers {
        use.add(
          layer: layer.layer, counts: layer.weights.map { UInt64(min(1, max(0, Double($0))) * 1e6) }, node: "measured")
      }
      var speeds: [NodeID: Double] = [:]
      for speed in load.speeds where speed.rowNanoseconds > 0 {
        speeds[speed.node] = 1e9 / Double(speed.rowNanoseconds)
      }
      var limits = placed.memoryLimits
      for node in load.nodes where limits[node.node] == nil && node.memoryBytes > 0 {
        limits[node.node] = node.memoryBytes
      }
      return LoadPlan.propose(
        topology: placed.topology, placement: placed.placement, use: use, speeds: speeds, limits: limits,
        facts: placed.facts, sizes: placed.sizes, context: placed.context,
        sequences: placed.topology.sequences.value, rows: ClusterPlan.subBatchRows)
    }

    /// A node's part of the load of all.
    private static func percent(_ value: Double, _ plan: LoadPlan) -> String {
      let total = plan.loads.reduce(0) { $0 + $1.before }
      return total > 0 ? "\(Int((100 * value / total).rounded())) %" : "nothing"
    }
  }
}
