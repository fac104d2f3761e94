import Foundation
import Tensors

/// A fixture model's `golden.json` and `golden.bin`: reference logits and greedy continuations.
struct GoldenModel {
  struct Run: Decodable {
    let source: String
    let arithmetic: String
    let file: String?
    let results: [Result]
  }

  struct Result: Decodable {
    let positions: [Int]
    let logits_offset: Int
    let greedy: [UInt32]
    let margin: [Float]
  }

  struct Quantized: Decodable {
    struct Difference: Decodable { let max_abs_by_prompt: [Float] }
    let native_vs_deq: Difference
  }

  private struct Contents: Decodable {
    struct File: Decodable {}
    let files: [String: File]
    let prompts: [[UInt32]]
    let goldens: [Run]
    let quantized: [String: Quantized]
  }

  let folder: URL
  let prompts: [[TokenID]]
  let runs: [Run]
  let quantized: [String: Quantized]
  /// The types of which there is a file.
  let types: [String]
  private let values: [Float]

  static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures")

  /// - Parameter parent: where the model's folder is.
  init(_ name: String, in parent: URL = Self.fixtures) throws {
    folder = parent.appendingPathComponent(name)
    let contents = try JSONDecoder().decode(
      Contents.self, from: Data(contentsOf: folder.appendingPathComponent("golden.json")))
    prompts = contents.prompts.map { $0.map { TokenID($0) } }
    runs = contents.goldens
    quantized = contents.quantized
    types = contents.files.keys.sorted()
    values = try Data(contentsOf: folder.appendingPathComponent("golden.bin")).withUnsafeBytes {
      Array($0.bindMemory(to: Float.self))
    }
  }

  func path(_ type: String) -> String { folder.appendingPathComponent("\(folder.lastPathComponent)-\(type).gguf").path }

  /// Reference logits of a result, `[positions.count * vocabulary]`.
  func logits(_ result: Result, vocabulary: Int) -> ArraySlice<Float> {
    values[result.logits_offset..<result.logits_offset + result.positions.count * vocabulary]
  }
}
