import GGUF
import Testing

/// A way in which files of deepseek2 differ, as a small model. No two sizes are equal that could be mixed up.
struct LatentVariant: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let heads: Int
  /// Elements of the vector between the two query projections; nil where one matrix projects queries.
  let queryRank: Int?
  /// Of the published configuration: `factor` and `mscale_all_dim`; `mscale` is the same.
  let yarnFactor: Double
  let magnitude: Double
  /// Growth of the queries, `scale` and `length`.
  var temperature: (scale: Double, length: Int)?
  /// Sigmoids with a selection bias and groups; a softmax otherwise.
  let gatesBySigmoid: Bool
  let normalisesWeights: Bool
  let weightScale: Double

  let hidden = 32
  let keyValueRank = 12
  let plain = 6
  let rotated = 8
  let valueSize = 10
  let rotaryBase = 500.0
  let originalContext = 256
  let experts = 8
  let chosen = 3
  let groups = 4
  let groupsUsed = 2

  /// DeepSeek-V2-Lite: one matrix for queries.
  static let lite = LatentVariant(
    testDescription: "V2-Lite", heads: 4, queryRank: nil, yarnFactor: 40, magnitude: 0.707, gatesBySigmoid: false,
    normalisesWeights: false, weightScale: 1)
  /// DeepSeek-V3; with more heads than one thread takes together.
  static let third = LatentVariant(
    testDescription: "V3", heads: 19, queryRank: 22, yarnFactor: 40, magnitude: 1, gatesBySigmoid: true,
    normalisesWeights: true, weightScale: 2.5)
  /// Mistral Large 3: queries grow with their position.
  static let growing = LatentVariant(
    testDescription: "Mistral Large 3", heads: 4, queryRank: 22, yarnFactor: 16, magnitude: 1,
    temperature: (0.1, 4), gatesBySigmoid: false, normalisesWeights: true, weightScale: 1)
  static let all = [lite, third, growing]

  func model() throws -> TinyModel {
    try TinyModel(family: "deepseek2", shapes: shapes, seed: 5, keys: keys) { name, values in
      // Scores far apart, so that gates differ.
      if name.hasSuffix("ffn_gate_inp") { values = values.map { $0 * 2 } }
    }
  }

  private var keys: [String: GGUFValue] {
    let counts: [String: Int] = [
      "block_count": 2, "embedding_length": hidden, "context_length": 4096, "attention.head_count": heads,
      "attention.head_count_kv": 1, "attention.kv_lora_rank": keyValueRank,
      "attention.key_length": keyValueRank + rotated, "attention.value_length": keyValueRank,
      "attention.key_length_mla": plain + rotated, "attention.value_length_mla": valueSize,
      "rope.dimension_count": rotated, "rope.scaling.original_context_length": originalContext,
      "expert_count": experts, "expert_used_count": chosen, "expert_feed_forward_length": 24, "expert_shared_count": 2,
      "expert_gating_func": gatesBySigmoid ? 2 : 1, "expert_group_count": gatesBySigmoid ? groups : 1,
      "expert_group_used_count": gatesBySigmoid ? groupsUsed : 1, "leading_dense_block_count": 0,
    ]
    var keys = counts.mapValues { GGUFValue.uint(UInt64($0)) }
    keys["attention.layer_norm_rms_epsilon"] = .float(1e-5)
    keys["rope.freq_base"] = .float(rotaryBase)
    keys["rope.scaling.type"] = .string("yarn")
    keys["rope.scaling.factor"] = .float(yarnFactor)
    // As converters write it.
    keys["rope.scaling.yarn_log_multiplier"] = .float(0.1 * magnitude)
    keys["expert_weights_norm"] = .bool(normalisesWeights)
    keys["expert_weights_scale"] = .float(weightScale)
    if let queryRank { keys["attention.q_lora_rank"] = .uint(UInt64(queryRank)) }
    if let temperature {
      keys["attention.temperature_scale"] = .float(temperature.scale)
      keys["attention.temperature_length"] = .uint(UInt64(temperature.length))
    }
    return keys
  }

  private var shapes: [(name: String, dimensions: [Int])] {
    let queries = heads * (plain + rotated)
    let query: [(String, [Int])] =
      queryRank.map {
        [("attn_q_a", [hidden, $0]), ("attn_q_a_norm", [$0]), ("attn_q_b", [$0, queries])]
      } ?? [("attn_q", [hidden, queries])]
    let bias: [(String, [Int])] = gatesBySigmoid ? [("exp_probs_b.bias", [experts])] : []
    let others: [(String, [Int])] = [
      ("attn_norm", [hidden]), ("attn_kv_a_mqa", [hidden, keyValueRank + rotated]), ("attn_kv_a_norm", [keyValueRank]),
      ("attn_k_b", [plain, keyValueRank, heads]), ("attn_v_b", [keyValueRank, valueSize, heads]),
      ("attn_output", [heads * valueSize, hidden]), ("ffn_norm", [hidden]), ("ffn_gate_inp", [hidden, experts]),
      ("ffn_gate_shexp", [hidden, 48]), ("ffn_up_shexp", [hidden, 48]), ("ffn_down_shexp", [48, hidden]),
      ("ffn_gate_exps", [hidden, 24, experts]), ("ffn_up_exps", [hidden, 24, experts]),
      ("ffn_down_exps", [24, hidden, experts]),
    ]
    let whole: [(name: String, dimensions: [Int])] = [
      ("token_embd", [hidden, 40]), ("output_norm", [hidden]), ("output", [hidden, 40]),
    ]
    return whole
      + (0..<2).flatMap { layer in (query + others + bias).map { ("blk.\(layer).\($0.0)", $0.1) } }
  }
}
