import Kernels
import ModelSpec
import Tensors
import Testing

/// The KV types against each other over whole models.
@Suite struct KVPrecisionTests {
  /// Largest difference of a position's logits, some units wide, from those with keys and values in float32: the median
  /// over positions, as a few move further where rounding changes a choice of experts.
  static let limits: [(KVType, Float)] = [(.f16, 0.02), (.q8_0, 0.3)]

  @Test(
    "logits with keys and values in f16 and in q8_0 are near those in float32, and not the same",
    arguments: [("qwen3moe-s", "F16"), ("llama-s", "F16"), ("kimi2-s", "F16")])
  func nearness(name: String, type: String) throws {
    let golden = try GoldenModel(name)
    let kernels = try Kernels.select()
    func logits(_ kv: KVType) throws -> [[Float]] {
      let model = try LocalModel(golden.path(type), kernels: kernels, kv: kv)
      let width = model.spec.hyperparameters.vocabularySize
      return try golden.prompts.flatMap { prompt in
        let values = try model.logits(prompt, last: min(8, prompt.count))
        return stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
      }
    }
    let exact = try logits(.f32)
    var nearest: Float = 0
    for (kv, limit) in Self.limits {
      let differences = try zip(exact, logits(kv)).map { zip($0, $1).reduce(0) { max($0, abs($1.0 - $1.1)) } }
      let median = differences.sorted()[differences.count / 2]
      #expect(median > nearest && median <= limit, "\(kv): \(median)")
      nearest = median
    }
  }
}
