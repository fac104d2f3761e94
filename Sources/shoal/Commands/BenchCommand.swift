import ArgumentParser
import Cluster
import Kernels
import ModelSpec
import Tensors

/// How fast prefill and decode are, what bounds them, and where the time goes.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure prefill and decode, and what bounds them.",
    discussion: """
      Generates as 'shoal generate' does: a prompt of drawn tokens, then tokens without sampling, the same every time; \
      once to warm up and then as often as asked for. Prefill is the time from the submission to the first token, decode \
      that from the first token to the last; of several sequences, the first token of each counts.
      """)

  @OptionGroup var cluster: ClusterOptions
  @Option(name: [.customShort("p"), .customLong("prompt-tokens")], help: "Tokens of the prompt.")
  var promptTokens = 256
  @Option(name: [.customShort("n"), .customLong("tokens")], help: "Tokens to generate; 0 measures prefill alone.")
  var tokens = 64
  @Option(help: "Sequences that are generated side by side, each with a prompt of its own.")
  var sequences = 1
  @Option(name: [.customShort("r"), .customLong("repetitions")], help: "How often both are measured.")
  var repetitions = 5
  @Flag(help: "A JSON object instead of a table.")
  var json = false
  @Option(help: .hidden)
  var coordinator: String?

  func validate() throws {
    guard coordinator == nil else {
      throw ValidationError(
        "shoal bench cannot use --coordinator: it measures a cluster that it brings up itself, where nobody else's jobs "
          + "run; name its nodes in a file and give --topology FILE")
    }
    guard (1...1 << 24).contains(promptTokens) else { throw ValidationError("-p must be at least 1 (to \(1 << 24))") }
    guard tokens == 0 || (2...1 << 24).contains(tokens) else {
      throw ValidationError(
        "-n must be 0, for prefill alone, or at least 2: decode is timed from the first token to the last")
    }
    guard (1...10_000).contains(sequences) else { throw ValidationError("--sequences must be 1 to 10000") }
    guard (1...10_000).contains(repetitions) else { throw ValidationError("-r must be 1 to 10000") }
  }

  func run() throws {
    try withExitStatus {
      let plan = try ClusterPlan(cluster)
      let bench = BenchRun(promptTokens: promptTokens, tokens: tokens, sequences: sequences, repetitions: repetitions)
      try bench.check(plan)
      let running = try ClusterStarter.start(plan, cluster, readsInPlace: true)
      defer { running.stop() }
      let samples = try bench.run(on: running, plan)
      // In this order: what is measured last takes memory that the run had not.
      let peak = ProcessMemory.peakBytes
      running.stop()
      let threads = localThreads(plan)
      let report = try BenchReport(
        settings(plan, threads), samples, weightBytesPerToken: ModelInventory(plan.model.spec).bytesPerToken,
        readBandwidth: bandwidth(threads), isLocal: !hasRemoteNodes(plan), peakMemoryBytes: peak)
      try Console.write(json ? report.json() : report.text)
    }
  }

  private func settings(_ plan: ClusterPlan, _ threads: Int) throws -> BenchReport.Settings {
    BenchReport.Settings(
      model: try cluster.modelPath(), promptTokens: promptTokens, tokens: tokens, sequences: sequences,
      repetitions: repetitions, threads: threads,
      kernels: try (cluster.kernels ?? .auto).select().instructionSet.rawValue,
      kv: plan.kvType.name, context: plan.context, prefillChunk: plan.prefillChunk,
      nodes: plan.placement.participants.count, stages: plan.placement.stages.count)
  }

  /// Compute threads that the run has on this machine.
  private func localThreads(_ plan: ClusterPlan) -> Int {
    guard let topology = plan.topology else { return cluster.threads ?? MachineCores.count }
    return topology.nodes.filter { $0.address == .local }
      .reduce(0) { $0 + TopologyNodes.threads(of: $1, topology, cluster) }
  }

  private func hasRemoteNodes(_ plan: ClusterPlan) -> Bool {
    plan.topology?.nodes.contains { $0.address != .local } ?? false
  }

  /// - Returns: nil without threads here, or with a warning when it cannot be measured: the rest is of use without it.
  private func bandwidth(_ threads: Int) -> Double? {
    guard threads > 0 else { return nil }
    do {
      return try ReadBandwidth.measure(threads: min(threads, MachineCores.count))
    } catch {
      Console.error("shoal: the read bandwidth could not be measured: \(error)")
      return nil
    }
  }
}
