import Kernels
import Tensors
import Testing

/// The KV types against each other over whole models.
@Suite struct KVTypeTests {
  /// Largest difference of a position's logits, some units wide, from those with keys and values in float32: the median
  /// over positions, as a few move further where rounding changes a choice of experts.
  static let limits: [(KVType, Float)] = [(.f16, 0.01), (.q8_0, 0.15)]

  @Test(
    "logits with keys and values in f16 and in q8_0 are near those in float32, and not the same",
    arguments: [("qwen3moe-s", "F16"), ("llama-s", "F16"), ("gptoss-s", "F16"), ("deepseek3-s", "Q4_0")])
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

  @Test("bytes of a head, blocks of q8_0 filled up")
  func bytes() {
    #expect(KVType.f16.byteCount(elements: 40) == 80 && KVType.f32.byteCount(elements: 40) == 160)
    #expect([1, 32, 33, 64, 128].map { KVType.q8_0.byteCount(elements: $0) } == [34, 34, 68, 68, 136])
    #expect(KVType.allCases.allSatisfy { KVType(name: $0.name) == $0 } && KVType(name: "q8") == nil)
  }
}
