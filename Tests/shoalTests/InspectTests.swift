import Foundation
import Testing

extension CommandLineTests {
  @Suite("inspect")
  struct InspectTests {
    private struct Report: Decodable {
      struct Parameters: Decodable {
        let total: Int
        let active: Int
      }
      let family: String
      let parameters: Parameters
      let bytes: [String: Int]
      let bytes_per_token: Int
      let kv_bytes_per_token: [String: Int]
      let layers_with_experts: Int
      let tokenizer: String
      let chat_template: Bool
    }

    private static let fixtures = Workshop.repository.appending(path: "Tests/Fixtures")

    @Test("parts add up to the whole; what a token touches is part of it")
    func json() throws {
      let file = Self.fixtures.appending(path: "deepseek3-s/deepseek3-s-Q4_0.gguf")
      let outcome = try RunningShoal.run(["inspect", "--json", file.path])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let report = try JSONDecoder().decode(Report.self, from: Data(outcome.text.utf8))
      #expect(report.family == "deepseek2" && report.layers_with_experts == 2 && report.chat_template)
      #expect(report.tokenizer == "BPE, deepseek-v3, 768 tokens")
      #expect(report.parameters.active < report.parameters.total)
      let parts = report.bytes.filter { $0.key != "total" }
      #expect(parts.count == 5 && parts.values.reduce(0, +) == report.bytes["total"])
      #expect(parts.values.allSatisfy { $0 > 0 } && report.bytes_per_token < report.bytes["total"] ?? 0)
      // Three layers, one vector of 64 and 32 elements each.
      #expect(report.kv_bytes_per_token == ["f16": 3 * 2 * 96, "f32": 3 * 4 * 96, "q8_0": 3 * 3 * 34])
    }

    @Test("people get a line for each fact, of split files too")
    func text() throws {
      let file = Self.fixtures.appending(path: "qwen3moe-s/split/qwen3moe-s-Q8_0-00001-of-00002.gguf")
      let outcome = try RunningShoal.run(["inspect", file.path])
      #expect(outcome.status == 0 && outcome.errors.isEmpty)
      for fact in ["qwen3moe", "8 in 3 of 3 layers, 2 chosen", "in 2 files", "4096 tokens", "Q8_0 x23, F32 x16"] {
        #expect(outcome.text.contains(fact), "\(fact)")
      }
    }

    @Test("a family that is not supported is refused by name, with those that are, whatever is to be done with it")
    func unsupported() throws {
      var bytes = try Data(contentsOf: Workshop.model)
      let value = try #require(bytes.range(of: Data("qwen3moe".utf8)))
      bytes.replaceSubrange(value, with: Data("mammoth3".utf8))
      let file = try Workshop.file("mammoth.gguf", bytes).path
      for command in [["inspect", file], ["generate", "--model", file, "x"]] {
        let outcome = try RunningShoal.run(command)
        #expect(outcome.status == 65 && outcome.output.isEmpty)
        #expect(outcome.errors.contains("\"mammoth3\"") && outcome.errors.contains("deepseek2"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("bytes of weights moved"))
      }
    }

    @Test("what is no model is refused", arguments: ["tokenizers/spm/spm-vocab.gguf", "qwen3moe-s/golden.bin"])
    func noModel(name: String) throws {
      let outcome = try RunningShoal.run(["inspect", Self.fixtures.appending(path: name).path])
      #expect(outcome.status == 65 && outcome.output.isEmpty && !outcome.errors.isEmpty)
    }
  }
}
