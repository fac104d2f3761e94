import Foundation
import GGUF
import ModelSpec
import Tensors

/// A qwen3moe file of zeros with two layers, of which tests change keys and tensors.
struct TinyModel {
  struct Tensor {
    var type: QuantType
    var dimensions: [Int]
  }

  var architecture: GGUFValue? = .string("qwen3moe")
  var keys: [String: GGUFValue] = [
    "block_count": .uint(2), "embedding_length": .uint(32), "attention.head_count": .uint(4),
    "attention.head_count_kv": .uint(2), "attention.key_length": .uint(16), "attention.value_length": .uint(8),
    "expert_count": .uint(4), "expert_used_count": .uint(2), "expert_feed_forward_length": .uint(24),
    "context_length": .uint(128), "attention.layer_norm_rms_epsilon": .float(1e-6), "rope.freq_base": .float(10_000),
  ]
  var tensors: [String: Tensor] = [:]

  init() {
    add("token_embd", [32, 40])
    add("output_norm", [32])
    add("output", [32, 40])
    for layer in 0..<2 {
      let name = { "blk.\(layer).\($0 as String)" }
      add(name("attn_norm"), [32])
      add(name("attn_q"), [32, 64])
      add(name("attn_k"), [32, 32])
      add(name("attn_v"), [32, 16])
      add(name("attn_output"), [32, 32])
      add(name("attn_q_norm"), [16])
      add(name("attn_k_norm"), [16])
      add(name("ffn_norm"), [32])
      add(name("ffn_gate_inp"), [32, 4])
      add(name("ffn_gate_exps"), [32, 24, 4])
      add(name("ffn_up_exps"), [32, 24, 4])
      add(name("ffn_down_exps"), [24, 32, 4])
    }
  }

  private mutating func add(_ name: String, _ dimensions: [Int]) {
    tensors[name + ".weight"] = Tensor(type: .f32, dimensions: dimensions)
  }

  /// Writes the file and reads it as a model.
  func spec() throws -> ModelSpec {
    var writer = GGUFWriter()
    if let architecture { try writer.set("general.architecture", architecture) }
    for (key, value) in keys { try writer.set("qwen3moe." + key, value) }
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      let rows = tensor.dimensions.dropFirst().reduce(1, *)
      let bytes = (tensor.type.rowBytes(elements: tensor.dimensions[0]) ?? 0) * rows
      try writer.add(name, tensor.type, dimensions: tensor.dimensions, bytes: [UInt8](repeating: 0, count: bytes))
    }
    let path = NSTemporaryDirectory() + "shoal-tiny-\(UUID().uuidString).gguf"
    try writer.write(to: path)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try ModelSpec(file: GGUFFile.open(path))
  }
}
