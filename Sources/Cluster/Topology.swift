public import Tensors

/// What a `topology.json` says: the placement that whoever runs the cluster wishes for.
///
/// Everything that can be judged without the model has been checked: types, ranges, names, addresses. What needs the
/// model (coverage of layers and experts) is checked by `place(_:epoch:)`. The format is described in
/// docs/topology.schema.json.
public struct Topology: Sendable, Hashable {
  /// Most sequences that may run at once.
  public static let sequencesMax = 1024
  /// Largest context that a file may ask for; the model's own is the closer limit.
  public static let contextMax = 1 << 30
  /// Context when the file names none and the model allows it.
  public static let contextDefault = 4096
  /// Most nodes of a cluster.
  public static let nodeCountMax = 4096
  /// Sequences when the file names none.
  static let sequencesDefault = 4

  /// Name of the file as it was given; errors begin with it.
  public let file: String
  /// The path or address of the JSON schema, for editors only.
  public let schema: String?
  /// Path of the model's (first) GGUF file as written; see `modelPath`.
  public let model: Located<String>
  /// Positions of the longest sequence; nil means the default, see `contextLength(for:)`.
  public let context: Located<Int>?
  /// Sequences that may run at once.
  public let sequences: Located<Int>
  /// Number type of the KV cache.
  public let keyValueType: Located<KVType>
  /// Grid on which the outputs of experts are added.
  public let combine: Located<CombineMode>
  /// In file order, which is the order of `Placement.nodes`; names are distinct.
  public let nodes: [TopologyNode]
  /// In file order, which need not be that of the layers.
  public let stages: [TopologyStage]

  /// Reads a topology.
  /// - Parameters:
  ///   - bytes: the whole file, UTF-8 JSON of at most 16 MiB.
  ///   - file: its name, for errors.
  /// - Throws: the first error in the file, with its line and column.
  public init(decoding bytes: [UInt8], file: String = "topology.json") throws(TopologyError) {
    self = try TopologyDecoder(file: file).topology(try JSONParser.parse(bytes, file: file))
  }

  init(
    file: String, schema: String?, model: Located<String>, context: Located<Int>?, sequences: Located<Int>,
    keyValueType: Located<KVType>, combine: Located<CombineMode>, nodes: [TopologyNode], stages: [TopologyStage]
  ) {
    self.file = file
    self.schema = schema
    self.model = model
    self.context = context
    self.sequences = sequences
    self.keyValueType = keyValueType
    self.combine = combine
    self.nodes = nodes
    self.stages = stages
  }

  /// Path of the model: as written if absolute, else beside the topology file.
  public var modelPath: String {
    guard !model.value.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return model.value }
    return file[...slash] + model.value
  }

  /// Compute threads of a node: as written, else the machine's cores divided among its local nodes, at least 1.
  ///
  /// Meant for local nodes; the threads of a remote one are the business of its machine.
  public func threadCount(of node: TopologyNode, cores: Int) -> Int {
    if let threads = node.threads { return threads.value }
    let sharers = nodes.count { $0.address == .local }
    return max(1, cores / max(1, sharers))
  }

  func error(_ code: TopologyError.Code, at position: SourcePosition, _ message: String) -> TopologyError {
    TopologyError(code, file: file, at: position, message)
  }
}
