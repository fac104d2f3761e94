public import ArgumentParser
import Cluster
import Kernels
import ShardStore
public import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Which model runs where, for commands that bring a cluster up themselves.
struct ClusterOptions: ParsableArguments {
  @Option(help: "The GGUF file; replaces the topology's model. Without --topology it runs in this process alone.")
  var model: String?
  @Option(help: "The topology file (default ./topology.json), or 'none' for one process without a cluster.")
  var topology: String?
  @Option(help: "Compute threads of the one process, or of each local worker the topology gives none.")
  var threads: Int?
  @Option(help: "Most positions of a sequence.")
  var context: Int?
  @Option(help: "Number type of the KV cache: f16, f32 or q8_0.")
  var kv: KVType?
  @Option(help: "Kernels of this machine's workers: auto, scalar, avx2, avxvnni, avx512 or neon.")
  var kernels: KernelChoice?
  @Option(help: "Prompt positions of a prefill step.")
  var prefillChunk: Int?
  @Option(help: "The shard store (default $XDG_CACHE_HOME/shoal).")
  var store: String?
  @Option(help: "Most bytes the shard store of local workers may take, such as 100GB.")
  var storeBudget: String?
  @Flag(help: "Allow listening beyond this machine: connections are neither encrypted nor authenticated yet.")
  var insecure = false

  func validate() throws {
    if let threads { guard (1...1024).contains(threads) else { throw ValidationError("--threads must be 1 to 1024") } }
    if let storeBudget { try ByteCountOption.check("--store-budget", storeBudget) }
    if let context { guard context > 0 else { throw ValidationError("--context must be at least 1") } }
    if let prefillChunk {
      guard (1...65_535).contains(prefillChunk) else { throw ValidationError("--prefill-chunk must be 1 to 65535") }
    }
  }

  /// Options that only make sense for whoever runs the cluster; named in the error when `--coordinator` is given too.
  var givenNames: [String] {
    [
      ("--model", model != nil), ("--topology", topology != nil), ("--threads", threads != nil),
      ("--context", context != nil), ("--kv", kv != nil), ("--kernels", kernels != nil),
      ("--prefill-chunk", prefillChunk != nil), ("--store", store != nil), ("--store-budget", storeBudget != nil),
      ("--insecure", insecure),
    ].filter(\.1).map(\.0)
  }

  /// The topology that is used when none is named.
  static let topologyDefault = "topology.json"

  /// What is to run, and whether as a cluster.
  enum Source {
    /// The nodes and stages of this file.
    case topology(String)
    /// This model in one process.
    case model(String)
    /// The model of this topology file, with its settings, in one process.
    case modelOfTopology(String)
  }

  var source: Source {
    switch (topology, model) {
    case ("none", let model?), (nil, let model?): .model(model)
    case ("none", nil): .modelOfTopology(Self.topologyDefault)
    case (let topology?, _): .topology(topology)
    case (nil, nil): .topology(Self.topologyDefault)
    }
  }

  /// The model's file.
  func modelPath() throws -> String {
    switch source {
    case .topology(let path): try model ?? TopologyFile.read(path).modelPath
    case .model(let path): path
    case .modelOfTopology(let path): try TopologyFile.read(path).modelPath
    }
  }

  /// The context that is asked for; nil when none is.
  func context(within facts: ModelFacts) throws -> Int? {
    guard let context else { return nil }
    guard context <= facts.contextLength else {
      throw InputError(.usage, "--context is \(context), but the model was made for \(facts.contextLength) positions")
    }
    return context
  }

  /// The shard store; nil, with a warning, when it cannot be opened: it is a cache.
  func openStore() -> ShardStore? { StoreOpener.open(store) }
}

/// Opens the shard store of this machine.
enum StoreOpener {
  /// - Parameter budget: most bytes its pieces may take; nil for no limit.
  static func open(_ path: String?, budget: Int? = nil) -> ShardStore? {
    do {
      return try ShardStore(directory: directory(path), budget: budget) { Console.error("shoal: \($0)") }
    } catch {
      Console.error("shoal: going on with no shard store: \(error)")
      return nil
    }
  }

  /// The folder that is named, or else the one by default.
  /// - Throws: `InputError` when neither is known.
  static func directory(_ path: String?) throws -> String {
    if let directory = path ?? ShardStore.defaultDirectory(environment: environment) { return directory }
    throw InputError(.usage, "neither XDG_CACHE_HOME nor HOME is set; give --store DIR")
  }

  private static var environment: [String: String] {
    var result: [String: String] = [:]
    for name in ["XDG_CACHE_HOME", "HOME"] {
      if let value = getenv(name) { result[name] = String(cString: value) }
    }
    return result
  }
}

/// An instruction set for the kernels, or the best there is.
enum KernelChoice: String, ExpressibleByArgument, CaseIterable {
  case auto, scalar, avx2, avxvnni, avx512, neon

  /// The kernels; a set this machine lacks is an error that names those it has.
  func select() throws -> Kernels { try Kernels.select(InstructionSet(rawValue: rawValue)) }
}

extension KVType: ExpressibleByArgument {
  public init?(argument: String) { self.init(name: argument) }
  public static var allValueStrings: [String] { allCases.map(\.name) }
  public var defaultValueDescription: String { name }
}
