import Kernels
import ModelSpec
import Scheduling
import Tensors
import Testing

@Suite struct DemoGoldenTests {
  /// The logits of llama.cpp differ from float32 arithmetic by 0.03 as a rule: two tokens nearer to each other may
  /// change places.
  static let margin = 0.03

  @Test("greedy tokens of the embedded model are llama.cpp's up to the first close choice")
  func greedy() throws {
    let model = try LocalModel(DemoGolden.path, kernels: Kernels.select(), kv: .f32)
    var compared = 0
    for prompt in try DemoGolden().prompts {
      let golden = prompt.llama_cpp_Q4_K_M
      let tokens = try model.generate(
        prompt.ids.map { TokenID($0) }, count: golden.ids.count, sampling: .greedy)
      let stable = golden.ids.indices.first { golden.margin($0) < Self.margin } ?? golden.ids.count
      #expect(tokens.prefix(stable).map(\.rawValue) == Array(golden.ids.prefix(stable)))
      compared += stable
    }
    #expect(compared >= 100, "only \(compared) tokens were compared")
  }

  @Test("with llama.cpp's tokens before it, each choice that is not close is llama.cpp's")
  func forced() throws {
    let model = try LocalModel(DemoGolden.path, kernels: Kernels.select(), kv: .f32)
    var compared = 0
    for prompt in try DemoGolden().prompts {
      let golden = prompt.llama_cpp_Q4_K_M
      let tokens = (prompt.ids + golden.ids.dropLast()).map { TokenID($0) }
      let logits = try model.logits(tokens, last: golden.ids.count)
      let vocabulary = model.spec.hyperparameters.vocabularySize
      for step in golden.ids.indices where golden.margin(step) >= Self.margin {
        let row = logits[step * vocabulary..<(step + 1) * vocabulary]
        let best = row.indices.max { row[$0] < row[$1] }.map { $0 - step * vocabulary }
        #expect(best == Int(golden.ids[step]), "step \(step), margin \(golden.margin(step))")
        compared += 1
      }
    }
    #expect(compared >= 250, "only \(compared) steps were compared")
  }

  @Test("top logits after each prompt are llama.cpp's within the README's difference")
  func logits() throws {
    let model = try LocalModel(DemoGolden.path, kernels: Kernels.select(), kv: .f32)
    for prompt in try DemoGolden().prompts {
      let logits = try model.logits(prompt.ids.map { TokenID($0) }, last: 1)
      for pair in prompt.llama_cpp_Q4_K_M.top5[0] {
        #expect(abs(Double(logits[Int(pair[0])]) - pair[1]) < 0.55)
      }
    }
  }
}
