import Foundation
import GGUF
import Tensors

/// A model of two or three layers with float32 weights drawn from a seed, of which a test may replace one value.
final class TinyModel {
  /// Families that have blocks of their own.
  enum Family: String, CaseIterable {
    case qwen3moe
    case llama
    case qwen2moe
    case glm4moe
    case gptOSS = "gpt-oss"
  }

  static let vocabulary = 40
  let path = NSTemporaryDirectory() + "shoal-tiny-\(UUID().uuidString).gguf"

  /// - Parameter changes: tensor names (without `.weight`) and the value that their first element gets.
  init(
    _ family: Family = .qwen3moe, seed: UInt64 = 1, experts: Int = 4, chosen: Int = 2, changes: [String: Float] = [:]
  ) throws {
    var writer = GGUFWriter()
    try writer.set("general.architecture", .string(family.rawValue))
    let layers = family == .glm4moe ? 3 : 2
    var keys: [(String, GGUFValue)] = [
      ("block_count", .uint(UInt64(layers))), ("embedding_length", .uint(32)), ("attention.head_count", .uint(4)),
      ("attention.head_count_kv", .uint(2)), ("attention.key_length", .uint(16)),
      ("attention.value_length", .uint(16)), ("context_length", .uint(128)),
      ("attention.layer_norm_rms_epsilon", .float(1e-6)), ("feed_forward_length", .uint(48)),
    ]
    if family != .llama {
      keys += [
        ("expert_count", .uint(UInt64(experts))), ("expert_used_count", .uint(UInt64(chosen))),
        ("expert_feed_forward_length", .uint(24)),
      ]
    }
    switch family {
    case .qwen3moe, .llama: break
    case .qwen2moe: keys.append(("expert_shared_feed_forward_length", .uint(40)))
    case .glm4moe:
      keys += [
        ("expert_shared_count", .uint(1)), ("leading_dense_block_count", .uint(1)),
        ("expert_weights_norm", .bool(true)), ("expert_weights_scale", .float(1.5)),
        ("rope.dimension_count", .uint(8)), ("nextn_predict_layers", .uint(0)),
      ]
    case .gptOSS: keys.append(("attention.sliding_window", .uint(5)))
    }
    for (key, value) in keys { try writer.set("\(family.rawValue).\(key)", value) }
    var random = SplitMix(state: seed)
    func add(_ name: String, _ dimensions: [Int]) throws {
      let isNorm = dimensions.count == 1 && !name.contains(".bias") && !name.contains("sinks")
      var values = (0..<dimensions.reduce(1, *)).map { _ in
        isNorm ? 1 : (Float(random.next(below: 2001)) - 1000) / 3000
      }
      if let change = changes[name] { values[0] = change }
      try writer.add(
        name.hasSuffix(".bias") ? name : name + ".weight", .f32, dimensions: dimensions,
        bytes: values.withUnsafeBytes { Array($0) })
    }
    try add("token_embd", [32, Self.vocabulary])
    try add("output_norm", [32])
    for layer in 0..<layers {
      for (name, dimensions) in Self.tensors(family, experts: experts, isDense: family == .llama || layer == layers - 3)
      {
        try add("blk.\(layer).\(name)", dimensions)
      }
    }
    try writer.write(to: path)
  }

  private static func tensors(_ family: Family, experts: Int, isDense: Bool) -> [(String, [Int])] {
    var tensors = [
      ("attn_norm", [32]), ("attn_q", [32, 64]), ("attn_k", [32, 32]), ("attn_v", [32, 32]), ("attn_output", [64, 32]),
    ]
    if family == .qwen3moe { tensors += [("attn_q_norm", [16]), ("attn_k_norm", [16])] }
    if [.qwen2moe, .glm4moe, .gptOSS].contains(family) {
      tensors += [("attn_q.bias", [64]), ("attn_k.bias", [32]), ("attn_v.bias", [32])]
    }
    if family == .gptOSS { tensors += [("attn_output.bias", [32]), ("attn_sinks", [4])] }
    tensors.append(([.glm4moe, .gptOSS].contains(family) ? "post_attention_norm" : "ffn_norm", [32]))
    if isDense { return tensors + [("ffn_gate", [32, 48]), ("ffn_up", [32, 48]), ("ffn_down", [48, 32])] }
    tensors += [
      ("ffn_gate_inp", [32, experts]), ("ffn_gate_exps", [32, 24, experts]), ("ffn_up_exps", [32, 24, experts]),
      ("ffn_down_exps", [24, 32, experts]),
    ]
    let shared = family == .qwen2moe ? 40 : 24
    if [.qwen2moe, .glm4moe].contains(family) {
      tensors += [
        ("ffn_gate_shexp", [32, shared]), ("ffn_up_shexp", [32, shared]), ("ffn_down_shexp", [shared, 32]),
      ]
    }
    switch family {
    case .qwen3moe, .llama: break
    case .qwen2moe: tensors.append(("ffn_gate_inp_shexp", [32]))
    case .glm4moe: tensors.append(("exp_probs_b.bias", [experts]))
    case .gptOSS:
      tensors += [
        ("ffn_gate_inp.bias", [experts]), ("ffn_gate_exps.bias", [24, experts]), ("ffn_up_exps.bias", [24, experts]),
        ("ffn_down_exps.bias", [32, experts]),
      ]
    }
    return tensors
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
