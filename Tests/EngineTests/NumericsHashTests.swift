import Foundation
import Kernels
import Scheduling
import Tensors
import Testing

/// Pins the numerics: what these hashes are of may change only together with `Kernels.numericsVersion`.
@Suite struct NumericsHashTests {
  /// Numerics version 1.
  static let logitsHash: UInt64 = 14_306_076_080_158_547_072
  static let greedyHash: UInt64 = 12_112_837_743_828_181_859
  static let sampledHash: UInt64 = 12_374_119_872_977_396_320

  static let familyHashes: [String: UInt64] = [
    "llama-s": 2_127_226_734_829_756_523, "mixtral-s": 4_002_719_500_365_111_362,
    "ministral3-s": 8_653_390_944_422_180_263, "qwen2moe-s": 15_468_183_507_799_117_566,
    "olmoe-s": 144_195_577_173_919_801, "glm4moe-s": 8_293_259_630_781_896_162,
    "gptoss-s": 14_246_853_942_535_745_668, "kimi2-s": 6_830_343_987_473_117_808,
    "deepseek3-s": 1_185_304_935_322_747_349,
  ]

  static let advice: Comment =
    "the results of numerics version 1 have changed: raise Kernels.numericsVersion and this constant together, or undo the change"

  @Test(
    "the fixtures' logits are those of this numerics version, for each instruction set", arguments: Kernels.available)
  func logits(set: InstructionSet) throws {
    let kernels = try Kernels.select(set)
    var hash = FNV()
    for (name, types) in [("qwen3moe-s", ["F16", "Q8_0", "Q4_0"]), ("qwen3moe-k", ["Q4_K_M"])] {
      let golden = try GoldenModel(name)
      for type in types {
        for kv in [KVType.f16, .f32] {
          let model = try LocalModel(golden.path(type), kernels: kernels, kv: kv)
          for prompt in golden.prompts { hash.add(try model.logits(prompt, last: min(4, prompt.count))) }
        }
      }
    }
    #expect(Kernels.numericsVersion == 1)
    #expect(hash.value == Self.logitsHash, Self.advice)
  }

  @Test(
    "the logits of the further families are those of this numerics version, for each instruction set",
    arguments: Kernels.available)
  func families(set: InstructionSet) throws {
    let kernels = try Kernels.select(set)
    for (name, type) in OneAnswerTests.families {
      var hash = FNV()
      let golden = try GoldenModel(name)
      let model = try LocalModel(golden.path(type), kernels: kernels)
      for prompt in golden.prompts { hash.add(try model.logits(prompt, last: min(4, prompt.count))) }
      #expect(hash.value == Self.familyHashes[name], Self.advice)
    }
  }

  @Test(
    "the embedded model's tokens are those of this numerics version, greedy and sampled", arguments: Kernels.available)
  func tokens(set: InstructionSet) throws {
    let demo = try DemoGolden()
    let model = try LocalModel(DemoGolden.path, kernels: Kernels.select(set))
    let sampled = SamplingParameters(repeatPenalty: 1.2, frequencyPenalty: 0.1, presencePenalty: 0.1, seed: 7)
    for (sampling, expected) in [(SamplingParameters.greedy, Self.greedyHash), (sampled, Self.sampledHash)] {
      var hash = FNV()
      for (index, prompt) in demo.prompts.enumerated() {
        let tokens = try model.generate(
          prompt.ids.map { TokenID($0) }, count: 24, sampling: sampling, sequence: UInt64(index))
        #expect(tokens.count == 24)
        for token in tokens { hash.add(token.rawValue) }
      }
      #expect(hash.value == expected, Self.advice)
    }
  }
}
