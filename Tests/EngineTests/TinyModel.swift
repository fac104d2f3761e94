import Foundation
import GGUF
import Tensors

/// A qwen3moe file of two layers with float32 weights drawn from a seed, of which a test may replace one value.
final class TinyModel {
  static let vocabulary = 40
  let path = NSTemporaryDirectory() + "shoal-tiny-\(UUID().uuidString).gguf"

  /// - Parameter changes: tensor names (without `.weight`) and the value that their first element gets.
  init(seed: UInt64 = 1, changes: [String: Float] = [:]) throws {
    var writer = GGUFWriter()
    try writer.set("general.architecture", .string("qwen3moe"))
    let keys: [(String, UInt64)] = [
      ("block_count", 2), ("embedding_length", 32), ("attention.head_count", 4), ("attention.head_count_kv", 2),
      ("attention.key_length", 16), ("attention.value_length", 16), ("expert_count", 4), ("expert_used_count", 2),
      ("expert_feed_forward_length", 24), ("context_length", 128),
    ]
    for (key, value) in keys { try writer.set("qwen3moe." + key, .uint(value)) }
    try writer.set("qwen3moe.attention.layer_norm_rms_epsilon", .float(1e-6))
    var random = SplitMix(state: seed)
    func add(_ name: String, _ dimensions: [Int]) throws {
      var values = (0..<dimensions.reduce(1, *)).map { _ in
        dimensions.count == 1 ? 1 : (Float(random.next(below: 2001)) - 1000) / 3000
      }
      if let change = changes[name] { values[0] = change }
      try writer.add(
        name + ".weight", .f32, dimensions: dimensions, bytes: values.withUnsafeBytes { Array($0) })
    }
    try add("token_embd", [32, Self.vocabulary])
    try add("output_norm", [32])
    for layer in 0..<2 {
      let name = { "blk.\(layer).\($0 as String)" }
      try add(name("attn_norm"), [32])
      try add(name("attn_q"), [32, 64])
      try add(name("attn_k"), [32, 32])
      try add(name("attn_v"), [32, 32])
      try add(name("attn_output"), [64, 32])
      try add(name("attn_q_norm"), [16])
      try add(name("attn_k_norm"), [16])
      try add(name("ffn_norm"), [32])
      try add(name("ffn_gate_inp"), [32, 4])
      try add(name("ffn_gate_exps"), [32, 24, 4])
      try add(name("ffn_up_exps"), [32, 24, 4])
      try add(name("ffn_down_exps"), [24, 32, 4])
    }
    try writer.write(to: path)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
