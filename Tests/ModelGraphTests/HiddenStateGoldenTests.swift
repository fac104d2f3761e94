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
      /// For each layer and row the chosen experts, ascending.
      let experts: [[[Int]]]
    }
    let prompts: [[UInt32]]
    let debug: Debug
  }

  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/qwen3moe-s")

  @Test("after every layer the hidden states are the reference's within 1e-3, and the experts the same")
  func layers() throws {
    let golden = try JSONDecoder().decode(
      Golden.self, from: Data(contentsOf: Self.folder.appendingPathComponent("golden.json")))
    let values = try Data(contentsOf: Self.folder.appendingPathComponent("golden.bin")).withUnsafeBytes {
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
    let file = try GGUFFile.open(Self.folder.appendingPathComponent("qwen3moe-s-F16.gguf").path)
    let spec = try ModelSpec(file: file)
    let arena = WeightArena()
    let shard = try TinyModel.load(spec, file, into: arena)
    let bench = GraphBench(spec, shard, rows: rows, kernels: try Kernels.select())
    try bench.begin(golden.prompts[debug.prompt].map { TokenID($0) })
    #expect(difference(bench.rows, hidden(0)) < 1e-6)
    for layer in 0..<spec.hyperparameters.layerCount {
      let (routed, choices) = try bench.trunk()
      #expect(choices.map { $0.map(\.expert).sorted() } == debug.experts[layer], "layer \(layer)")
      try bench.experts(routed)
      guard layer + 1 < spec.hyperparameters.layerCount else { continue }
      #expect(difference(bench.rows, hidden(layer + 1)) < 1e-3, "layer \(layer)")
    }
    withExtendedLifetime(arena) {}
  }
}
