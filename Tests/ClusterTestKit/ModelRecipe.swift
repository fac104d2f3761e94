public import GGUF
public import ModelSpec
public import Tensors

/// The shapes and quant types of a small random model of the family `qwen3moe`. Every byte is a token; one more ends
/// an answer.
public struct ModelRecipe: Sendable, Hashable {
  /// Goes into the metadata and the file's name.
  public var name: String
  /// Layers, all with experts.
  public var layers = 3
  /// A multiple of 256, so that every quant type can be used.
  public var hidden = 256
  /// Query heads.
  public var heads = 4
  /// Heads of keys and values; divides `heads`.
  public var keyValueHeads = 2
  /// Elements of a head.
  public var headSize = 32
  /// Routed experts of a layer.
  public var experts = 7
  /// Experts chosen for a token.
  public var expertsPerToken = 2
  /// A multiple of the block of the down projection's type.
  public var expertWidth = 64
  /// Positions the model says it was made for.
  public var context = 512
  /// Whether the output projection is the embedding.
  public var isTied = false
  /// Types of the roles' tensors; the first for layer 0, the next for layer 1, and so on around.
  public var types: [TensorRole: [QuantType]] = [:]
  /// Type of roles that `types` does not name; norms and router are float32.
  public var type = QuantType.q8_0
  /// The token that ends an answer.
  public var endToken = Self.vocabulary - 1
  /// Decides every weight.
  public var seed: UInt64 = 1

  /// Goes into the metadata and the file's name.
  public init(name: String) { self.name = name }

  /// Tokens: the 256 bytes and the one that ends an answer.
  public static let vocabulary = 257

  /// The model's file.
  public func file() throws(GGUFError) -> GGUFWriter {
    var random = SeededRandom(seed: seed)
    var writer = GGUFWriter()
    try setMetadata(&writer)
    try add(.tokenEmbedding, [hidden, Self.vocabulary], layer: nil, amplitude: 1.5, &writer, &random)
    for layer in 0..<layers { try addLayer(layer, &writer, &random) }
    try add(.outputNorm, [hidden], layer: nil, amplitude: 0, &writer, &random)
    if !isTied { try add(.output, [hidden, Self.vocabulary], layer: nil, amplitude: 0.3, &writer, &random) }
    return writer
  }

  private func addLayer(_ layer: Int, _ writer: inout GGUFWriter, _ random: inout SeededRandom) throws(GGUFError) {
    let queryWidth = heads * headSize
    let keyWidth = keyValueHeads * headSize
    let shapes: [(TensorRole, [Int])] = [
      (.attentionNorm, [hidden]), (.query, [hidden, queryWidth]), (.key, [hidden, keyWidth]),
      (.value, [hidden, keyWidth]), (.queryNorm, [headSize]), (.keyNorm, [headSize]),
      (.attentionOutput, [queryWidth, hidden]), (.feedForwardNorm, [hidden]), (.router, [hidden, experts]),
      (.expertGate, [hidden, expertWidth, experts]), (.expertUp, [hidden, expertWidth, experts]),
      (.expertDown, [expertWidth, hidden, experts]),
    ]
    for (role, shape) in shapes {
      // Outputs as large as inputs in the mean, experts a little larger, so that every choice shows.
      let gain: Float = role == .expertDown ? 6 : role == .router ? 3 : 1.7
      try add(
        role, shape, layer: layer, amplitude: gain / Float(shape[0]).squareRoot(), &writer, &random)
    }
  }

  private func add(
    _ role: TensorRole, _ shape: [Int], layer: Int?, amplitude: Float, _ writer: inout GGUFWriter,
    _ random: inout SeededRandom
  ) throws(GGUFError) {
    let name = layer.map { "blk.\($0).\(role.rawValue).weight" } ?? "\(role.rawValue).weight"
    let count = shape.reduce(1, *)
    guard shape.count > 1 else { return try writer.add(name, .f32, dimensions: shape, bytes: norm(count, &random)) }
    let choices = types[role] ?? [role == .router ? .f32 : type]
    let chosen = choices[(layer ?? 0) % choices.count]
    try writer.add(
      name, chosen, dimensions: shape,
      bytes: QuantBytes.random(chosen, count: count, amplitude: amplitude, &random))
  }

  private func norm(_ count: Int, _ random: inout SeededRandom) -> [UInt8] {
    (0..<count).flatMap { _ in
      withUnsafeBytes(of: (0.7 + 0.6 * random.unit()).bitPattern.littleEndian) { Array($0) }
    }
  }

  private func setMetadata(_ writer: inout GGUFWriter) throws(GGUFError) {
    let family = "qwen3moe"
    try writer.set("general.architecture", .string(family))
    try writer.set("general.name", .string(name))
    let numbers = [
      "block_count": layers, "embedding_length": hidden, "attention.head_count": heads,
      "attention.head_count_kv": keyValueHeads, "attention.key_length": headSize,
      "attention.value_length": headSize, "expert_count": experts, "expert_used_count": expertsPerToken,
      "expert_feed_forward_length": expertWidth, "context_length": context,
    ]
    for (key, number) in numbers.sorted(by: { $0.key < $1.key }) {
      try writer.set("\(family).\(key)", .uint(UInt64(number)))
    }
    try writer.set("\(family).attention.layer_norm_rms_epsilon", .float(Double(Float(1e-6))), as: .float32)
    try writer.set("\(family).rope.freq_base", .float(10_000), as: .float32)
    try writer.set("tokenizer.ggml.model", .string("gpt2"))
    try writer.set("tokenizer.ggml.pre", .string("qwen2"))
    try writer.set("tokenizer.ggml.tokens", .array(.strings(Self.byteTokens + ["<end>"])))
    let kinds = (0..<Self.vocabulary).map { $0 == Self.vocabulary - 1 ? Int64(3) : 1 }
    try writer.set("tokenizer.ggml.token_type", .array(.ints(kinds)))
    try writer.set("tokenizer.ggml.merges", .array(.strings([])), as: .string)
    try writer.set("tokenizer.ggml.eos_token_id", .uint(UInt64(endToken)))
  }

  /// The 256 bytes as byte-level BPE writes them: printable ones as themselves, the others from U+0100 on.
  private static var byteTokens: [String] {
    var others: UInt32 = 256
    return (UInt32(0)..<256).map { byte in
      let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
      let code = isPrintable ? byte : others
      if !isPrintable { others += 1 }
      return String(Unicode.Scalar(code).map(Character.init) ?? "?")
    }
  }
}

extension ModelRecipe {
  /// As small as models get, for thousands of simulations.
  public static var tiny: ModelRecipe {
    var recipe = ModelRecipe(name: "tiny")
    recipe.hidden = 32
    recipe.heads = 2
    recipe.keyValueHeads = 1
    recipe.headSize = 16
    recipe.experts = 5
    recipe.expertWidth = 32
    recipe.context = 128
    recipe.seed = 4
    return recipe
  }

  /// Quarter-size blocks throughout; a prime number of experts.
  public static var small: ModelRecipe {
    var recipe = ModelRecipe(name: "small")
    recipe.types = [.expertGate: [.q8_0, .q4_0], .expertUp: [.q8_0, .q4_0], .value: [.f16, .q8_0]]
    return recipe
  }

  /// Types that differ from tensor to tensor, so that rows travel in several forms; tied output.
  public static var mixed: ModelRecipe {
    var recipe = ModelRecipe(name: "mixed")
    recipe.layers = 4
    recipe.experts = 5
    recipe.expertsPerToken = 3
    recipe.isTied = true
    recipe.type = .q6_K
    recipe.types = [
      .expertGate: [.q4_K, .q5_K, .f16, .q8_0], .expertUp: [.q8_0, .q6_K, .bf16, .f32],
      .expertDown: [.q4_0, .f16, .q8_0, .bf16], .attentionOutput: [.q4_0, .f32], .query: [.q5_K, .bf16],
    ]
    recipe.seed = 2
    return recipe
  }

  /// K-quants throughout, one key head, many experts of which four are chosen.
  public static var wide: ModelRecipe {
    var recipe = ModelRecipe(name: "wide")
    recipe.layers = 2
    recipe.heads = 8
    recipe.keyValueHeads = 1
    recipe.experts = 13
    recipe.expertsPerToken = 4
    recipe.expertWidth = 256
    recipe.type = .q4_K
    recipe.types = [.expertDown: [.q6_K, .q4_K], .value: [.q6_K], .output: [.q6_K]]
    recipe.seed = 3
    return recipe
  }
}
