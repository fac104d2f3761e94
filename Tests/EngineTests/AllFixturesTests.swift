import Engine
import Foundation
import Kernels
import ModelSpec
import Scheduling
import Tensors
import Testing

/// Every file of a folder of fixture models, most of which are too large for the repository.
///
/// `SHOAL_FIXTURES` names the folder that has `models/NAME/golden.json`; the table goes to standard error.
@Suite struct AllFixturesTests {
  private static let root = ProcessInfo.processInfo.environment["SHOAL_FIXTURES"]
    .map { URL(fileURLWithPath: $0).appendingPathComponent("models") }
  private static let names =
    (try? root.map { try FileManager.default.contentsOfDirectory(atPath: $0.path).sorted() }) ?? []

  @Test("the folder that SHOAL_FIXTURES names has models", .enabled(if: root != nil))
  func folder() { #expect(!Self.names.isEmpty, "\(Self.root?.path ?? "")") }

  @Test("each file gives its golden logits and greedy tokens", .enabled(if: root != nil), arguments: names)
  func files(name: String) throws {
    let golden = try GoldenModel(name, in: try #require(Self.root))
    for type in golden.types {
      let model = try LocalModel(golden.path(type), kernels: Kernels.select(), kv: .f32)
      try compare(model, golden, name, type)
    }
  }

  private func compare(_ model: LocalModel, _ golden: GoldenModel, _ name: String, _ type: String) throws {
    // The expert weights of gpt-oss are quantized in every file.
    let isFloat = ["F16", "BF16"].contains(type) && !name.hasPrefix("gptoss")
    let run = try #require(
      golden.runs.first {
        switch (isFloat, type) {
        case (true, "F16"): $0.source == "transformers"
        case (true, _): $0.file == type && $0.arithmetic.hasPrefix("float32 arithmetic")
        default: $0.file == type && $0.arithmetic.hasPrefix("native")
        }
      })
    let unquantized = try #require(golden.runs.first { $0.source == "transformers" })
    let distances = golden.quantized[type]?.native_vs_deq.max_abs_by_prompt ?? golden.prompts.map { _ in 0 }
    let vocabulary = model.spec.hyperparameters.vocabularySize
    var (differences, divergence, positions): ([Float], Double, Int) = ([], 0, 0)
    var (equal, steps, same, moved) = (0, 0, 0, 0)
    for (index, prompt) in golden.prompts.enumerated() {
      let result = run.results[index]
      let tolerance = isFloat ? (type == "F16" ? 1e-3 : 2e-3) : 2 * distances[index]
      let logits = try model.logits(prompt, last: result.positions.count)
      let difference = Self.largest(logits, golden.logits(result, vocabulary: vocabulary))
      differences.append(difference)
      if difference >= tolerance {
        // The rounding of activations may change a choice of experts; then logits move by more, what they say does not.
        moved += 1
        #expect(
          !isFloat && moved == 1 && Self.divergence(result, golden, logits) < 5e-3,
          "\(name)-\(type), prompt \(index): off by \(difference)")
      }
      positions += result.positions.count
      divergence += Self.divergence(unquantized.results[index], golden, logits) * Double(result.positions.count)
      let tokens = try model.generate(prompt, count: result.greedy.count, sampling: .greedy).map(\.rawValue)
      let stable = result.margin.firstIndex { $0 < 2 * tolerance } ?? result.margin.count
      #expect(tokens.prefix(stable) == result.greedy.prefix(stable), "\(name)-\(type), prompt \(index)")
      (equal, steps) = (equal + stable, steps + tokens.count)
      same += zip(tokens, result.greedy).prefix { $0 == $1 }.count
    }
    let texts = differences.map { String(format: "%.6f", $0) }.joined(separator: ", ")
    let mean = String(format: "%.1e", divergence / Double(max(1, positions)))
    Self.report(
      "TABLE | \(name)-\(type) | \(run.source) \(run.arithmetic.prefix(7)) | \(texts) | \(mean) | "
        + "\(same) of \(steps) alike (\(equal) required) |")
  }

  private static func largest(_ left: [Float], _ right: ArraySlice<Float>) -> Float {
    left.count == right.count ? zip(left, right).map { abs($0 - $1) }.max() ?? 0 : .infinity
  }

  /// Kullback-Leibler divergence in nats of what logits say from what the reference's say.
  private static func divergence(_ reference: ArraySlice<Float>, _ logits: ArraySlice<Float>) -> Double {
    func logarithms(_ values: ArraySlice<Float>) -> [Double] {
      let largest = Double(values.max() ?? 0)
      let sum = values.reduce(0) { $0 + exp(Double($1) - largest) }
      return values.map { Double($0) - largest - log(sum) }
    }
    return zip(logarithms(reference), logarithms(logits)).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
  }

  /// The mean over a result's positions.
  private static func divergence(_ result: GoldenModel.Result, _ golden: GoldenModel, _ logits: [Float]) -> Double {
    let vocabulary = logits.count / max(1, result.positions.count)
    let reference = Array(golden.logits(result, vocabulary: vocabulary))
    let rows = result.positions.indices.map { $0 * vocabulary..<($0 + 1) * vocabulary }
    return rows.reduce(0) { $0 + divergence(reference[$1], logits[$1]) } / Double(max(1, rows.count))
  }

  private static func report(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }
}
