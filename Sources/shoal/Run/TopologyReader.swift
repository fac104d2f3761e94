import Cluster
import Coordinator
import ModelSpec
import ShardStore
import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Reads a topology file that was saved while a cluster runs, and holds it against what is running.
struct TopologyReader: Sendable {
  private let path: String
  private let options: ClusterOptions
  private let model: LoadedModel
  /// Path of the model that is running.
  private let modelPath: String
  private let settings: Topology.Settings

  init(path: String, plan: ClusterPlan, topology: Topology, options: ClusterOptions) {
    self.path = path
    self.options = options
    model = plan.model
    modelPath = options.model ?? topology.modelPath
    settings = Topology.Settings(keyValueType: plan.kvType, combine: plan.combine, context: plan.context)
  }

  /// What the file says now.
  func read() -> TopologyEdit {
    do {
      return .accepted(try desired())
    } catch {
      return .refused("\(error)")
    }
  }

  private func desired() throws -> DesiredCluster {
    var bytes = try TopologyFile.bytes(path, limit: 16 << 20)
    for _ in 0..<10 where bytes.isEmpty {
      // Whoever writes a file in place empties it first.
      usleep(20_000)
      bytes = try TopologyFile.bytes(path, limit: 16 << 20)
    }
    let topology = try Topology(decoding: bytes, file: path)
    try checkModel(topology)
    let facts = ModelFacts(model.spec)
    try topology.check(
      against: settings, facts: facts, overridden: (options.kv != nil, options.context != nil))
    let placement = try topology.place(facts)
    let memory = MemoryPlan(
      placement: placement, facts: facts, sizes: ModelSizes(model.spec, keyValueType: settings.keyValueType),
      context: settings.context, sequences: topology.sequences.value, rows: ClusterPlan.subBatchRows)
    try memory.check(topology)
    return DesiredCluster(
      placement: placement, nodes: try TopologyNodes(topology, options).plans, sequences: topology.sequences.value,
      source: bytes)
  }

  /// Another file is fine if it holds the same model.
  private func checkModel(_ topology: Topology) throws {
    guard options.model == nil, topology.modelPath != modelPath else { return }
    let other: LoadedModel
    do {
      other = try LoadedModel(path: topology.modelPath, store: options.openStore())
    } catch {
      throw topology.modelError("\"model\": \(error)")
    }
    guard other.manifest.modelID == model.manifest.modelID else {
      throw topology.modelError(
        "\"model\" names another model (\(other.manifest.modelID.hexadecimal.prefix(12))) than the one that is running "
          + "(\(model.manifest.modelID.hexadecimal.prefix(12))); stop the coordinator first")
    }
  }
}
