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

  @Test("an unknown family is refused by name, with those supported", arguments: ["mamba", "QWEN3MOE", ""])
  func unknownFamily(name: String) throws {
    var file = TinyModel()
    file.architecture = .string(name)
    let error = #expect(throws: ModelSpecError.self) { try file.spec() }
    #expect(error?.code == .unsupportedFamily)
    #expect(error?.message.contains("\"\(name)\"") == true && error?.message.contains("supported: qwen3moe") == true)
  }

  @Test("text of a file stands escaped and cut in messages, and of a value of another kind only what it is")
  func fileTexts() throws {
    var family = TinyModel()
    family.architecture = .string("\u{1B}[2J" + String(repeating: "x", count: 1000))
    let unknown = #expect(throws: ModelSpecError.self) { try family.spec() }
    #expect(unknown?.message.contains(#""\u{1B}[2Jxxx"#) == true && (unknown?.message.utf8.count ?? .max) < 400)
    var scaling = TinyModel()
    scaling.keys["rope.scaling.type"] = .string("\u{9B}31m\u{202E}")
    let type = #expect(throws: ModelSpecError.self) { try scaling.spec() }
    #expect(type?.message.contains(#"is "\u{9B}31m\u{202E}", which is not supported"#) == true)
    scaling.keys["rope.scaling.type"] = .array(.strings(Array(repeating: "\u{1B}", count: 1000)))
    let kind = #expect(throws: ModelSpecError.self) { try scaling.spec() }
    #expect(kind?.message.contains("holds an array of 1000 strings; it must be a string") == true)
  }

  @Test("a file without a family, or with a number for it, is refused", arguments: [nil, GGUFValue.uint(3)])
  func noFamily(value: GGUFValue?) throws {
    var file = TinyModel()
    file.architecture = value
    let error = #expect(throws: ModelSpecError.self) { try file.spec() }
    #expect(error?.code == .badHyperparameter && error?.message.contains("general.architecture") == true)
  }

  @Test("a vocabulary alone is no model: the tensor it lacks is named")
  func vocabularyOnly() throws {
    let file = try GGUFFile.open(Fixture.path("tokenizers/qwen2/qwen2-vocab.gguf"))
    let error = #expect(throws: ModelSpecError.self) { try ModelSpec(file: file) }
    #expect(error?.code == .missingTensor && error?.message.contains("token_embd") == true, "\(error?.message ?? "")")
  }

  @Test(
    "a tensor that is missing is named", arguments: TinyModel().tensors.keys.filter { $0 != "output.weight" }.sorted())
  func missingTensor(name: String) throws {
    var file = TinyModel()
    file.tensors[name] = nil
    let error = #expect(throws: ModelSpecError.self) { try file.spec() }
    #expect(error?.code == .missingTensor && error?.message.contains(name) == true)
  }

  @Test("a tensor of another shape is named, with both shapes", arguments: TinyModel().tensors.keys.sorted())
  func otherShape(name: String) throws {
    for change in [{ $0 + [2] }, { Array($0.dropLast()) + [$0[$0.count - 1] + 8] }] as [([Int]) -> [Int]] {
      var file = TinyModel()
      let shape = try #require(file.tensors[name]?.dimensions)
      guard change(shape).count <= 4, name != "token_embd.weight" || change(shape).count > 2 else { continue }
      file.tensors[name]?.dimensions = change(shape)
      let error = #expect(throws: ModelSpecError.self) { try file.spec() }
      #expect(error?.code == .badShape && error?.message.contains(name) == true, "\(error?.message ?? "")")
      #expect(error?.message.contains("\(change(shape))") == true)
    }
  }

  @Test(
    "norms must be float32", arguments: ["output_norm.weight", "blk.1.attn_q_norm.weight", "blk.0.ffn_norm.weight"])
  func quantizedNorm(name: String) throws {
    var file = TinyModel()
    file.tensors[name]?.type = .f16
    let error = #expect(throws: ModelSpecError.self) { try file.spec() }
    #expect(error?.code == .unsupportedType && error?.message.contains(name) == true)
  }

  @Test("pieces that the model does not have have no layout")
  func noSuchPiece() throws {
    let spec = try TinyModel().spec()
    for piece in [PieceID.trunk(2), .trunk(-1), .expert(0, 4), .expert(0, -1), .expert(2, 0), .header] {
      #expect(spec.layout(of: piece) == nil, "\(piece)")
    }
    let layout = try #require(spec.layout(of: .expert(1, 3)))
    #expect(layout.parts.map(\.offset) == [0, 3072, 6144] && layout.byteCount == 9216)
  }

  @Test("headers that lie about their lengths are refused")
  func headerLies() throws {
    let bytes = ModelSpec.encodeHeaders([GGUFHeader(path: "", fileByteCount: 100, bytes: [1, 2, 3])])
    for (offset, value) in [(0, 0), (0, 0xFF), (3, 0x80), (11, 0x80), (12, 4), (19, 0x7F)] as [(Int, UInt8)] {
      var lie = bytes
      lie[offset] = value
      let error = #expect(throws: ModelSpecError.self) { try ModelSpec.decodeHeaders(lie) }
      #expect(error?.code == .badHeader)
    }
    #expect(throws: ModelSpecError.self) { try ModelSpec.decodeHeaders(bytes + [0]) }
    #expect(try ModelSpec.decodeHeaders(bytes).map(\.bytes) == [[1, 2, 3]])
  }

  @Test("a quant type without kernels is refused by name")
  func unsupportedType() throws {
    let spec = try ModelSpec(file: GGUFFile.open(Fixture.demo))
    let error = #expect(throws: ModelSpecError.self) { try spec.requireTypes([.f32, .q4_K]) }
    #expect(error?.code == .unsupportedType && error?.message.contains("Q6_K") == true)
    #expect(error?.message.contains("F32, Q4_K") == true)
  }
}
