import Foundation
import GGUF

@testable import Tokenization

/// Files of the repository that tests read, found from this file's place.
enum Fixtures {
  private static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  static func url(_ path: String) -> URL { root.appending(path: path) }

  static func decode<Value: Decodable>(_ type: Value.Type, _ path: String) throws -> Value {
    try JSONDecoder().decode(type, from: Data(contentsOf: url(path)))
  }

  static func tokenizer(_ path: String) throws -> Tokenizer {
    try Tokenizer(metadata: GGUFFile.open(url(path).path(percentEncoded: false)).metadata)
  }

  static let demoPath = "cluster/models/fairytales-moe-Q4_K_M.gguf"

  /// The kinds of tokenizers of the goldens: a vocabulary and what the reference makes of texts for each.
  static let kinds = PreTokenizer.all.map { $0.names[0] }.filter { !kindsWithoutGolden.contains($0) } + ["spm"]

  /// Rows without a golden: their pieces are compared with the expressions (`PieceScannerTests`), their ids with nothing.
  static let kindsWithoutGolden: Set<String> = ["deepseek-llm", "deepseek-coder", "solar-open", "gpt-2"]

  /// The vocabulary of a golden.
  static func kind(_ kind: String) throws -> Tokenizer {
    try tokenizer("Tests/Fixtures/tokenizers/\(kind)/\(kind)-vocab.gguf")
  }

  /// The qwen2 vocabulary of the goldens.
  static func qwen2() throws -> Tokenizer { try kind("qwen2") }
}

extension TokenizerDefinition {
  /// All 256 bytes as tokens 0...255 in the order of their values, then further texts, and the merges given.
  static func bytes(_ further: [String] = [], merges: [String] = []) -> TokenizerDefinition {
    let alphabet = (UInt8.min...UInt8.max).map { String(decoding: ByteAlphabet.utf8(of: $0), as: UTF8.self) }
    return TokenizerDefinition(
      model: "gpt2", preTokenizer: "qwen2", tokens: alphabet + further, kinds: nil, merges: merges)
  }

  /// A SentencePiece vocabulary of the three usual control tokens, the 256 bytes, and tokens with scores.
  static func sentencePiece(_ scored: [(String, Float)]) -> TokenizerDefinition {
    let bytes = (UInt8.min...UInt8.max).map { SentencePieceText.name(of: $0) }
    var definition = TokenizerDefinition(
      model: "llama", tokens: ["<unk>", "<s>", "</s>"] + bytes + scored.map(\.0),
      kinds: [2, 3, 3] + bytes.map { _ in 6 } + scored.map { _ in 1 })
    definition.scores = [0, 0, 0] + bytes.map { _ in 0 } + scored.map(\.1)
    definition.bos = 1
    definition.eos = 2
    return definition
  }

  /// The same with `kind` for the last `count` tokens.
  func marking(last count: Int, as kind: TokenKind) -> TokenizerDefinition {
    var copy = self
    var kinds = kinds ?? tokens.map { _ in 1 }
    for index in kinds.indices.suffix(count) { kinds[index] = Int(kind.rawValue) }
    copy.kinds = kinds
    return copy
  }
}
