import GGUF
import ModelSpec
import Tensors
import Testing

@Suite struct HyperparametersTests {
  @Test("a small model is read as it was written")
  func small() throws {
    let spec = try TinyModel().spec()
    let model = spec.hyperparameters
    #expect(model.layerCount == 2 && model.hiddenSize == 32 && model.headCount == 4 && model.keyValueHeadCount == 2)
    #expect(model.keyHeadSize == 16 && model.valueHeadSize == 8 && model.ropeSize == 16)
    #expect(model.expertCount == 4 && model.expertsPerToken == 2 && model.expertWidth == 24)
    #expect(model.contextLength == 128 && model.vocabularySize == 40 && model.normEpsilon == 1e-6)
    #expect(!spec.outputUsesEmbedding && spec.pieces.count == 2 + 2 * 5)
    #expect(spec.keyValueBytes(.f16) == 2 * (16 + 8) * 2 && spec.keyValueBytes(.f32) == 2 * (16 + 8) * 4)
    #expect(spec.expertInputForms(1) == [.float32])
  }

  @Test("what a file leaves out has its default")
  func defaults() throws {
    var file = TinyModel()
    for key in ["attention.key_length", "attention.value_length", "rope.freq_base"] { file.keys[key] = nil }
    file.tensors["output.weight"] = nil
    for layer in 0..<2 {
      file.tensors["blk.\(layer).attn_q.weight"]?.dimensions = [32, 32]
      file.tensors["blk.\(layer).attn_k.weight"]?.dimensions = [32, 16]
      for norm in ["attn_q_norm", "attn_k_norm"] { file.tensors["blk.\(layer).\(norm).weight"]?.dimensions = [8] }
    }
    let spec = try file.spec()
    #expect(spec.hyperparameters.keyHeadSize == 8 && spec.hyperparameters.valueHeadSize == 8)
    #expect(spec.hyperparameters.ropeBase == 10_000 && spec.outputUsesEmbedding)
    #expect(spec.layout(of: .output)?.parts.map(\.role) == [.outputNorm])
  }

  static let lies: [(key: String, value: GGUFValue)] = [
    ("block_count", .uint(0)), ("block_count", .uint(1 << 31)), ("block_count", .int(-1)),
    ("block_count", .string("2")), ("embedding_length", .uint(0)), ("embedding_length", .uint(1 << 40)),
    ("attention.head_count", .uint(0)), ("attention.head_count", .uint(1 << 20)),
    ("attention.head_count_kv", .uint(0)), ("attention.head_count_kv", .uint(3)),
    ("attention.head_count_kv", .uint(8)), ("attention.key_length", .uint(0)),
    ("attention.value_length", .uint(1 << 32)), ("expert_count", .uint(0)), ("expert_count", .uint(1 << 31)),
    ("expert_used_count", .uint(0)), ("expert_used_count", .uint(5)), ("expert_feed_forward_length", .uint(0)),
    ("context_length", .uint(0)), ("context_length", .uint(1 << 60)),
    ("attention.layer_norm_rms_epsilon", .float(.nan)), ("attention.layer_norm_rms_epsilon", .float(-1e-6)),
    ("attention.layer_norm_rms_epsilon", .float(.infinity)), ("attention.layer_norm_rms_epsilon", .bool(true)),
    ("rope.freq_base", .float(.nan)), ("rope.freq_base", .float(0)), ("rope.dimension_count", .uint(7)),
    ("rope.dimension_count", .uint(18)), ("rope.dimension_count", .uint(0)),
    ("rope.scaling.type", .string("longrope")), ("rope.scaling.type", .uint(1)),
    ("rope.scaling.factor", .float(-1)), ("rope.scaling.factor", .float(.nan)), ("rope.scaling.factor", .string("4")),
    ("rope.scaling.attn_factor", .float(.infinity)), ("expert_gating_func", .uint(4)),
    ("expert_weights_scale", .float(.nan)), ("expert_weights_norm", .uint(1)), ("expert_group_count", .uint(3)),
    ("nextn_predict_layers", .uint(2)), ("leading_dense_block_count", .uint(3)),
    ("attention.temperature_scale", .float(-1)),
  ]

  @Test("a key that lies is named", arguments: lies)
  func lie(key: String, value: GGUFValue) throws {
    var file = TinyModel()
    file.keys[key] = value
    let error = #expect(throws: ModelSpecError.self) { try file.spec() }
    #expect(error?.code == .badHyperparameter)
    #expect(error?.message.contains("qwen3moe.\(key)") == true, "\(error?.message ?? "nothing")")
  }

  @Test(
    "a key that is missing is named",
    arguments: [
      "block_count", "embedding_length", "attention.head_count", "expert_count", "expert_used_count",
      "expert_feed_forward_length", "context_length", "attention.layer_norm_rms_epsilon",
    ])
  func missing(key: String) throws {
    var file = TinyModel()
    file.keys[key] = nil
    let error = #expect(throws: ModelSpecError.self) { try file.spec() }
    #expect(error?.code == .badHyperparameter && error?.message.contains("qwen3moe.\(key)") == true)
  }

  @Test("more experts than one order can name are refused before any array is made for them")
  func tooManyExperts() throws {
    var file = TinyModel()
    file.keys["block_count"] = .uint(4096)
    file.keys["expert_count"] = .uint(65_535)
    let error = #expect(throws: ModelSpecError.self) { try file.spec() }
    #expect(error?.code == .badHyperparameter && error?.message.contains("qwen3moe.expert_count") == true)
  }
}
