import Foundation
import GGUF
import Kernels
import ModelSpec
import Tensors
import Testing

/// Hidden states and chosen experts of the reference implementation, layer by layer.
@Suite struct HiddenStateGoldenTests {
  private struct Golden: Decodable {
    struct Debug: Decodable {
      let prompt: Int
      /// Embeddings, then the output of each layer; the last entry has the final norm applied and is left to the logits.
      let hidden_offset: [Int]
      let hidden_shape: [Int]
      /// For each layer with experts, and each row, the chosen ones, ascending.
      let experts: [[[Int]]]
    }
    let prompts: [[UInt32]]
    let debug: Debug
  }

  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures")

  @Test(
    "after every layer the hidden states are the reference's within 1e-3, and the experts the same",
    arguments: ["qwen3moe-s", "llama-s", "ministral3-s", "qwen2moe-s", "olmoe-s", "glm4moe-s"])
  func layers(name: String) throws {
    let folder = Self.fixtures.appendingPathComponent(name)
    let golden = try JSONDecoder().decode(
      Golden.self, from: Data(contentsOf: folder.appendingPathComponent("golden.json")))
    let values = try Data(contentsOf: folder.appendingPathComponent("golden.bin")).withUnsafeBytes {
      $0.bindMemory(to: Float.self).map(Double.init)
    }
    let debug = golden.debug
    let (rows, width) = (debug.hidden_shape[0], debug.hidden_shape[1])
    func hidden(_ entry: Int) -> [[Double]] {
      (0..<rows).map { row in
        let start = debug.hidden_offset[entry] + row * width
        return Array(values[start..<start + width])
      }
    }
    let file = try GGUFFile.open(folder.appendingPathComponent("\(name)-F16.gguf").path)
    let spec = try ModelSpec(file: file)
    let arena = WeightArena()
    let kernels = try Kernels.select()
    let shard = try TinyModel.load(spec, file, into: arena, for: kernels)
    let bench = GraphBench(spec, shard, rows: rows, kernels: kernels)
    try bench.begin(golden.prompts[debug.prompt].map { TokenID($0) })
    #expect(difference(bench.rows, hidden(0)) < 1e-6)
    var experts = debug.experts[...]
    for layer in 0..<spec.hyperparameters.layerCount {
      if let chosen = try bench.layer() { #expect(chosen == experts.popFirst(), "layer \(layer)") }
      guard layer + 1 < spec.hyperparameters.layerCount else { continue }
      #expect(difference(bench.rows, hidden(layer + 1)) < 1e-3, "layer \(layer)")
    }
    #expect(experts.isEmpty)
    withExtendedLifetime(arena) {}
  }
}
