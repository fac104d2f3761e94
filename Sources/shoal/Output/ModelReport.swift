import Cluster
import GGUF
import Kernels
import ModelSpec
import Tensors
import Tokenization

/// What a model file holds, for people and as JSON.
struct ModelReport: Encodable {
  struct Parameters: Encodable {
    let total: Int
    /// Those that take part in one token.
    let active: Int
  }

  struct Parts: Encodable {
    let embedding: Int
    let trunk: Int
    let routed_experts: Int
    let shared_experts: Int
    let output: Int
    let total: Int
  }

  struct KeyValues: Encodable {
    let f16: Int
    let f32: Int
    let q8_0: Int
  }

  let family: String
  let name: String?
  let parameters: Parameters
  /// Bytes by part.
  let bytes: Parts
  /// Bytes of weights that are read for one token.
  let bytes_per_token: Int
  /// Bytes of the KV cache that one token takes in all layers, by KV type.
  let kv_bytes_per_token: KeyValues
  let layers: Int
  let layers_with_experts: Int
  let experts: Int
  let experts_per_token: Int
  let hidden_size: Int
  let context: Int
  let vocabulary: Int
  /// Tensors by quant type.
  let types: [String: Int]
  /// How text is split, or why that is not known.
  let tokenizer: String
  let chat_template: Bool
  let files: Int
  /// Why this version cannot run it; nil when it can.
  let problem: String?

  init(_ spec: ModelSpec) {
    let inventory = ModelInventory(spec)
    let model = spec.hyperparameters
    family = spec.family.name
    name = try? spec.file.metadata.string("general.name")
    parameters = Parameters(total: inventory.total.parameters, active: inventory.activeParameters)
    bytes = Parts(
      embedding: inventory.embedding.bytes, trunk: inventory.trunk.bytes,
      routed_experts: inventory.routedExperts.bytes, shared_experts: inventory.sharedExperts.bytes,
      output: inventory.output.bytes, total: inventory.total.bytes)
    bytes_per_token = inventory.bytesPerToken
    kv_bytes_per_token = KeyValues(
      f16: spec.keyValueBytesOfAllLayers(.f16), f32: spec.keyValueBytesOfAllLayers(.f32),
      q8_0: spec.keyValueBytesOfAllLayers(.q8_0))
    layers = model.layerCount
    layers_with_experts = spec.layers.count { spec.requiresExperts($0) }
    experts = model.expertCount
    experts_per_token = model.expertsPerToken
    hidden_size = model.hiddenSize
    context = model.contextLength
    vocabulary = model.vocabularySize
    types = Dictionary(spec.typeCounts.map { ($0.key.name, $0.value) }) { first, _ in first }
    tokenizer = Self.tokenizer(spec.file.metadata)
    chat_template = (try? spec.file.metadata.string("tokenizer.chat_template")) != nil
    files = spec.file.headers.count
    problem = Self.problem(spec)
  }

  private static func tokenizer(_ metadata: GGUFMetadata) -> String {
    do {
      return try Tokenizer(metadata: metadata).summary
    } catch {
      return "unusable: \(error)"
    }
  }

  private static func problem(_ spec: ModelSpec) -> String? {
    do {
      try spec.requireTypes(Kernels.supportedTypes)
      return nil
    } catch {
      return error.message
    }
  }

  /// A line for each fact.
  var text: String {
    func size(_ bytes: Int) -> String { ByteCountText.describe(bytes) }
    let share = bytes.total > 0 ? "\(100 * bytes_per_token / bytes.total) %" : "none"
    let experts =
      experts > 0 ? "\(experts) in \(layers_with_experts) of \(layers) layers, \(experts_per_token) chosen" : "none"
    let types = types.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) x\($0.value)" }
    var rows = [
      ("family", family + (name.map { ", \"\($0)\"" } ?? "")),
      ("parameters", "\(Self.describe(parameters.total)), of which a token uses \(Self.describe(parameters.active))"),
      ("layers", "\(layers), hidden size \(hidden_size)"),
      ("experts", experts),
      ("weights", "\(size(bytes.total)) in \(files == 1 ? "one file" : "\(files) files")"),
      ("  embedding", size(bytes.embedding)), ("  trunk", size(bytes.trunk)),
      ("  routed experts", size(bytes.routed_experts)), ("  shared experts", size(bytes.shared_experts)),
      ("  output", size(bytes.output)),
      ("read per token", "\(size(bytes_per_token)) (\(share))"),
      (
        "KV per token",
        "\(size(kv_bytes_per_token.f16)) (f16), \(size(kv_bytes_per_token.f32)) (f32), \(size(kv_bytes_per_token.q8_0)) (q8_0)"
      ),
      ("context", "\(context) tokens"), ("tokenizer", tokenizer),
      ("chat template", chat_template ? "yes" : "no"), ("tensors", types.joined(separator: ", ")),
    ]
    if let problem { rows.append(("cannot be run", problem)) }
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { $0 + String(repeating: " ", count: width + 2 - $0.count) + $1 + "\n" }.joined()
  }

  /// Three digits and a unit: `"30.5 billion"`, `"20.1 million"`, `"512"`.
  private static func describe(_ count: Int) -> String {
    for (name, unit) in [("trillion", 1_000_000_000_000), ("billion", 1_000_000_000), ("million", 1_000_000)]
    where count >= unit {
      let tenths = count / (unit / 10)
      return "\(tenths / 10).\(tenths % 10) \(name)"
    }
    return "\(count)"
  }
}
