import GGUF
import Tensors
import Testing

@testable import ModelSpec

@Suite struct LatentShapeTests {
  private func file() throws -> FamilyFile {
    try FamilyFile(try #require(ModelFamily.all.first { $0.attention == .latent }))
  }

  @Test("one vector is kept of a position, for keys and values of all heads")
  func shape() throws {
    let spec = try file().spec()
    let latent = try #require(spec.hyperparameters.latent)
    #expect(latent.queryRank == 20 && latent.keyValueRank == 24)
    #expect(latent.queryHeadSize == 16 && latent.valueHeadSize == 12)
    let shape = spec.keyValueShape
    #expect(shape.heads == 1 && shape.keyElements == 32 && shape.valueElements == 24 && !shape.storesValues)
    #expect(spec.keyValueBytes(.f16) == 64)
    let trunk = try #require(spec.layout(of: .trunk(1)))
    let keyUp = try #require(trunk.parts.first { $0.role == .keyUp })
    #expect(keyUp.columns == 8 && keyUp.rows == 4 * 24)
    let valueUp = try #require(trunk.parts.first { $0.role == .valueUp })
    #expect(valueUp.columns == 24 && valueUp.rows == 4 * 12)
  }

  @Test("queries may be projected by one matrix", arguments: [nil, GGUFValue.uint(0)])
  func directQueries(rank: GGUFValue?) throws {
    var file = try file()
    file.keys["attention.q_lora_rank"] = rank
    for layer in 0..<3 {
      for name in ["attn_q_a", "attn_q_a_norm", "attn_q_b"] { file.tensors["blk.\(layer).\(name).weight"] = nil }
      file.tensors["blk.\(layer).attn_q.weight"] = TinyModel.Tensor(type: .f32, dimensions: [32, 4 * 16])
    }
    let spec = try file.spec()
    #expect(spec.hyperparameters.latent?.queryRank == nil)
    #expect(spec.layout(of: .trunk(0))?.parts.contains { $0.role == .query } == true)
  }

  @Test(
    "DeepSeek's files state a tenth of YaRN's multiplier; where it is not 1, cosines and sines have it too",
    arguments: [(0.1, 1.0, 1.0), (0.0707, 0.707, 0.707), (nil, 0.0, 1.0)] as [(Double?, Double, Double)])
  func yarn(stated: Double?, multiplier: Double, rotary: Double) throws {
    var file = try file()
    file.keys["rope.scaling.type"] = .string("yarn")
    file.keys["rope.scaling.factor"] = .float(40)
    file.keys["rope.scaling.yarn_log_multiplier"] = stated.map { .float($0) }
    guard case .yarn(let yarn) = try file.spec().hyperparameters.ropeScaling else {
      Issue.record("no YaRN")
      return
    }
    #expect(abs(yarn.logMultiplier - multiplier) < 1e-6 && abs(yarn.rotaryMultiplier - rotary) < 1e-6)
    #expect(multiplier != 1 || yarn.logMultiplier == 1, "what was 1 is 1 again")
  }

  @Test("a file with the unsplit projection is refused with the advice to convert it again")
  func unsplit() throws {
    var file = try file()
    for layer in 0..<3 {
      file.tensors["blk.\(layer).attn_k_b.weight"] = nil
      file.tensors["blk.\(layer).attn_v_b.weight"] = nil
      file.tensors["blk.\(layer).attn_kv_b.weight"] = TinyModel.Tensor(type: .f32, dimensions: [24, 4 * 20])
    }
    // As such files have it: no sizes of projected heads.
    for key in ["attention.key_length_mla", "attention.value_length_mla"] { file.keys[key] = nil }
    let error = try file.refusal()
    #expect(error?.code == .missingTensor)
    #expect(error?.message.contains("attn_kv_b") == true && error?.message.contains("convert the model again") == true)
  }

  @Test(
    "sizes that contradict each other are named",
    arguments: [
      ("attention.kv_lora_rank", .uint(0)), ("attention.kv_lora_rank", nil), ("attention.kv_lora_rank", .uint(25)),
      ("attention.key_length", .uint(40)), ("attention.value_length", .uint(32)),
      ("attention.head_count_kv", .uint(4)), ("attention.head_count_kv", .uint(2)),
      ("attention.key_length_mla", .uint(8)), ("attention.key_length_mla", .uint(1 << 40)),
      ("attention.value_length_mla", .uint(0)), ("attention.value_length_mla", nil),
      ("attention.q_lora_rank", .int(-1)), ("rope.dimension_count", .uint(10)),
    ] as [(String, GGUFValue?)])
  func contradictions(key: String, value: GGUFValue?) throws {
    var file = try file()
    file.keys[key] = value
    let error = try file.refusal()
    #expect(error?.code == .badHyperparameter, "\(error?.message ?? "no error")")
    let name = try #require(key.split(separator: ".").last)
    #expect(error?.message.contains("deepseek2.") == true && error?.message.contains(name) == true)
  }
}
