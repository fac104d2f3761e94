import Engine
import Kernels
import ModelSpec
import Sampling
import Scheduling
import Tensors
import Testing

@Suite struct LogitsGoldenTests {
  @Test(
    "F16 weights, float32 activations and KV: the reference's logits within 1e-3, its greedy tokens",
    arguments: [
      "qwen3moe-s", "llama-s", "ministral3-s", "qwen2moe-s", "olmoe-s", "glm4moe-s", "kimi2-s", "deepseek3-s",
    ])
  func unquantized(name: String) throws {
    let golden = try GoldenModel(name)
    let model = try LocalModel(golden.path("F16"), kernels: Kernels.select(), kv: .f32)
    let run = try #require(golden.runs.first { $0.source == "transformers" })
    try compare(model, golden, run, tolerances: golden.prompts.map { _ in 1e-3 })
  }

  @Test(
    "quantized weights: llama.cpp's logits within twice its own distance to float32 arithmetic",
    arguments: [
      ("qwen3moe-s", "Q8_0"), ("qwen3moe-s", "Q4_0"), ("qwen3moe-k", "Q4_K_M"), ("mixtral-s", "Q4_0"),
      ("gptoss-s", "F16"), ("deepseek3-s", "Q4_0"),
    ])
  func quantized(name: String, type: String) throws {
    let golden = try GoldenModel(name)
    let model = try LocalModel(golden.path(type), kernels: Kernels.select(), kv: .f32)
    let run = try #require(golden.runs.first { $0.file == type && $0.arithmetic.hasPrefix("native") })
    let differences = try #require(golden.quantized[type]).native_vs_deq.max_abs_by_prompt
    #expect(differences.allSatisfy { $0 < 0.5 })
    try compare(model, golden, run, tolerances: differences.map { 2 * $0 })
  }

  private func compare(_ model: LocalModel, _ golden: GoldenModel, _ run: GoldenModel.Run, tolerances: [Float]) throws {
    let vocabulary = model.spec.hyperparameters.vocabularySize
    for ((prompt, result), tolerance) in zip(zip(golden.prompts, run.results), tolerances) {
      let logits = try model.logits(prompt, last: result.positions.count)
      let expected = golden.logits(result, vocabulary: vocabulary)
      #expect(logits.count == expected.count)
      let difference = zip(logits, expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(difference < tolerance, "prompt of \(prompt.count) tokens: off by \(difference)")
      let tokens = try model.generate(prompt, count: result.greedy.count, sampling: .greedy)
      let stable = result.margin.firstIndex { $0 < 2 * tolerance } ?? result.margin.count
      #expect(tokens.prefix(stable).map(\.rawValue) == Array(result.greedy.prefix(stable)))
    }
  }
}
