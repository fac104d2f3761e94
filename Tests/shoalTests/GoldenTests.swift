import Foundation
import Testing

extension CommandLineTests {
  @Suite("against other implementations")
  struct GoldenTests {
    private struct Golden: Decodable {
      struct Run: Decodable {
        let ids: [Int]
        /// For each step the five best tokens, `[id, logit]`.
        let top5: [[[Double]]]
      }
      struct Prompt: Decodable {
        let ids: [Int]
        let q4: Run

        enum CodingKeys: String, CodingKey {
          case ids
          case q4 = "llama_cpp_Q4_K_M"
        }
      }
      let prompts: [Prompt]
    }

    /// Best minus second-best logit below which another order of rounding may choose another token: llama.cpp's own
    /// logits differ from float32 arithmetic by 0.03 as a rule.
    private static let smallMargin = 0.03

    @Test("greedy tokens are llama.cpp's, up to the first step whose best two tokens are nearly equal")
    func demoModel() throws {
      let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: Workshop.golden))
      let prompts = golden.prompts.flatMap { ["--tokens", $0.ids.map(String.init).joined(separator: ",")] }
      let answers = try RunningShoal.generate(
        prompts + ["--max-tokens", "64", "--temperature", "0", "--ignore-eos", "--kv", "f32"])
      #expect(answers.count == golden.prompts.count)
      for (prompt, answer) in zip(golden.prompts, answers) {
        let close = prompt.q4.top5.firstIndex { $0[0][1] - $0[1][1] < Self.smallMargin } ?? prompt.q4.ids.count
        #expect(answer.promptTokens == prompt.ids)
        #expect(Array(answer.tokens.prefix(close)) == Array(prompt.q4.ids.prefix(close)))
      }
    }
  }
}
