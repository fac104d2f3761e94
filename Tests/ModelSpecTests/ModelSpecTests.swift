import Foundation
import GGUF
import ModelSpec
import Tensors
import Testing

/// Files of `Tests/Fixtures` and the embedded model.
enum Fixture {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  static func path(_ name: String) -> String { root.appendingPathComponent("Fixtures/\(name)").path }
  static let demo = root.deletingLastPathComponent()
    .appendingPathComponent("cluster/models/fairytales-moe-Q4_K_M.gguf").path
}

@Suite struct ModelSpecTests {
  @Test("the embedded model's shapes are those of its README")
  func demo() throws {
    let spec = try ModelSpec(file: GGUFFile.open(Fixture.demo))
    let model = spec.hyperparameters
    #expect(model.layerCount == 6 && model.hiddenSize == 256 && model.expertCount == 16)
    #expect(model.headCount == 4 && model.keyValueHeadCount == 2 && model.keyHeadSize == 64)
    #expect(model.vocabularySize == 2048 && model.expertsPerToken == 2 && model.ropeBase == 10_000)
    #expect(spec.outputUsesEmbedding)
    #expect(spec.pieces.count == 2 + 6 * 17)
  }

  @Test("pieces cover every tensor byte exactly once")
  func coverage() throws {
    for path in [Fixture.demo, Fixture.path("qwen3moe-s/qwen3moe-s-Q4_0.gguf")] {
      let file = try GGUFFile.open(path)
      let spec = try ModelSpec(file: file)
      let ranges = spec.pieces.flatMap { spec.layout(of: $0)?.parts.map(\.range) ?? [] }
        .sorted { $0.offset < $1.offset }
      for (range, next) in zip(ranges, ranges.dropFirst()) {
        #expect(range.offset + range.byteCount <= next.offset)
      }
      #expect(ranges.reduce(0) { $0 + $1.byteCount } == file.tensors.reduce(0) { $0 + $1.byteCount })
    }
  }

  @Test("headers travel and give the same model")
  func headers() throws {
    let file = try GGUFFile.open(Fixture.path("qwen3moe-s/split/qwen3moe-s-Q8_0-00001-of-00002.gguf"))
    let bytes = ModelSpec.encodeHeaders(file.headers)
    let copy = try GGUFFile(headers: ModelSpec.decodeHeaders(bytes))
    let spec = try ModelSpec(file: copy)
    #expect(try spec.layout(of: .trunk(1)) == ModelSpec(file: file).layout(of: .trunk(1)))
    for count in 0..<min(bytes.count, 64) {
      #expect(throws: ModelSpecError.self) { try ModelSpec.decodeHeaders(Array(bytes.prefix(count))) }
    }
  }

  @Test("an unknown family is refused by name, with those supported")
  func unknownFamily() throws {
    let file = try GGUFFile.open(Fixture.path("tokenizers/qwen2/qwen2-vocab.gguf"))
    let error = #expect(throws: ModelSpecError.self) { try ModelSpec(file: file) }
    #expect(error?.message.contains("supported") == true || error?.code == .missingTensor)
  }

  @Test("a quant type without kernels is refused by name")
  func unsupportedType() throws {
    let spec = try ModelSpec(file: GGUFFile.open(Fixture.demo))
    let error = #expect(throws: ModelSpecError.self) { try spec.requireTypes([.f32, .q4_K]) }
    #expect(error?.message.contains("Q6_K") == true)
  }
}
