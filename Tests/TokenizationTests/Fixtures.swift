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

  static let qwen2Path = "Tests/Fixtures/tokenizers/qwen2/qwen2-vocab.gguf"
  static let demoPath = "cluster/models/fairytales-moe-Q4_K_M.gguf"

  /// The qwen2 vocabulary of the goldens.
  static func qwen2() throws -> Tokenizer { try tokenizer(qwen2Path) }
}

extension TokenizerDefinition {
  /// All 256 bytes as tokens 0...255 in the order of their values, then further texts, and the merges given.
  static func bytes(_ further: [String] = [], merges: [String] = []) -> TokenizerDefinition {
    let alphabet = (UInt8.min...UInt8.max).map { String(decoding: ByteAlphabet.utf8(of: $0), as: UTF8.self) }
    return TokenizerDefinition(
      model: "gpt2", preTokenizer: "qwen2", tokens: alphabet + further, kinds: nil, merges: merges)
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
