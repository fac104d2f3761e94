import Foundation

/// Reference continuations of the embedded model.
struct DemoGolden: Decodable {
  struct Prompt: Decodable {
    let ids: [UInt32]
    let llama_cpp_Q4_K_M: Continuation
  }

  struct Continuation: Decodable {
    let ids: [UInt32]
    /// For each step the five highest logits with their tokens, highest first.
    let top5: [[[Double]]]

    /// How far the highest logit of a step is above the second.
    func margin(_ step: Int) -> Double { top5[step][0][1] - top5[step][1][1] }
  }

  let prompts: [Prompt]

  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("cluster/models")
  static let path = folder.appendingPathComponent("fairytales-moe-Q4_K_M.gguf").path

  init() throws {
    let data = try Data(contentsOf: Self.folder.appendingPathComponent("fairytales-moe-golden.json"))
    self = try JSONDecoder().decode(DemoGolden.self, from: data)
  }
}
