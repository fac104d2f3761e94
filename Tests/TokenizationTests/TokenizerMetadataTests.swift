import GGUF
import Tensors
import Testing

@testable import Tokenization

@Suite("Tokenizer from metadata")
struct TokenizerMetadataTests {
  /// A metadata value of a GGUF header.
  private enum Value {
    case string(String)
    case strings([String])
    case bool(Bool)
    case uint(UInt32)
    case floats([Float])

    var bytes: [UInt8] {
      switch self {
      case .string(let text): Value.little(UInt32(8)) + Value.text(text)
      case .strings(let texts):
        Value.little(UInt32(9)) + Value.little(UInt32(8)) + Value.little(UInt64(texts.count))
          + texts.flatMap(Value.text)
      case .bool(let flag): Value.little(UInt32(7)) + [flag ? 1 : 0]
      case .uint(let number): Value.little(UInt32(4)) + Value.little(number)
      case .floats(let numbers):
        Value.little(UInt32(9)) + Value.little(UInt32(6)) + Value.little(UInt64(numbers.count))
          + numbers.flatMap { Value.little($0.bitPattern) }
      }
    }

    static func text(_ text: String) -> [UInt8] { little(UInt64(text.utf8.count)) + Array(text.utf8) }

    static func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
      withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }
  }

  private func tokenizer(_ change: (inout [String: Value]) -> Void) throws -> Tokenizer {
    let definition = TokenizerDefinition.bytes(["ab"], merges: ["a b"])
    var values: [String: Value] = [
      TokenizerKey.model: .string("gpt2"), TokenizerKey.preTokenizer: .string("qwen2"),
      TokenizerKey.tokens: .strings(definition.tokens), TokenizerKey.merges: .strings(definition.merges),
    ]
    change(&values)
    var bytes = Array("GGUF".utf8) + Value.little(UInt32(3)) + Value.little(UInt64(0))
    bytes += Value.little(UInt64(values.count))
    for (key, value) in values { bytes += Value.text(key) + value.bytes }
    let header = GGUFHeader(path: "tiny.gguf", fileByteCount: bytes.count, bytes: bytes)
    return try Tokenizer(metadata: GGUFFile(headers: [header]).metadata)
  }

  @Test("the keys that must be there suffice")
  func sufficient() throws {
    #expect(try tokenizer { _ in }.encode("ab") == [256])
  }

  @Test("all other keys are read")
  func allKeys() throws {
    let tokenizer = try tokenizer {
      $0[TokenizerKey.bos] = .uint(1)
      $0[TokenizerKey.eos] = .uint(2)
      $0[TokenizerKey.endOfTurn] = .uint(3)
      $0[TokenizerKey.endOfMessage] = .uint(4)
      $0[TokenizerKey.padding] = .uint(5)
      $0[TokenizerKey.addBOS] = .bool(true)
      $0[TokenizerKey.addEOS] = .bool(true)
    }
    #expect(tokenizer.encode("ab") == [1, 256, 2])
    #expect([tokenizer.bosToken, tokenizer.eosToken, tokenizer.eotToken, tokenizer.paddingToken] == [1, 2, 3, 5])
    #expect(tokenizer.endOfGeneration == [2, 3, 4])
  }

  @Test("a missing key is named", arguments: [TokenizerKey.model, TokenizerKey.tokens, TokenizerKey.merges])
  func missing(key: String) throws {
    let error = try #require(throws: TokenizationError.self) { try tokenizer { $0[key] = nil } }
    #expect(error.code == .badMetadata)
    #expect(error.description.contains(key))
  }

  @Test(
    "a value of another type is named by its key",
    arguments: [
      TokenizerKey.model, TokenizerKey.preTokenizer, TokenizerKey.tokens, TokenizerKey.merges, TokenizerKey.kinds,
      TokenizerKey.scores,
    ])
  func wrongType(key: String) throws {
    let error = try #require(throws: TokenizationError.self) { try tokenizer { $0[key] = .bool(true) } }
    #expect(error.code == .badMetadata)
    #expect(error.description.contains(key))
  }

  @Test("the keys of SentencePiece are read")
  func sentencePiece() throws {
    let definition = TokenizerDefinition.sentencePiece([("a", -2), ("ab", -1), ("b", -2)])
    func tokenizer(_ change: (inout [String: Value]) -> Void) throws -> Tokenizer {
      try self.tokenizer {
        $0 = [
          TokenizerKey.model: .string("llama"), TokenizerKey.tokens: .strings(definition.tokens),
          TokenizerKey.scores: .floats(definition.scores ?? []), TokenizerKey.bos: .uint(1),
          TokenizerKey.addSpacePrefix: .bool(false),
        ]
        change(&$0)
      }
    }
    #expect(try tokenizer { _ in }.encode("ab") == [1, 260])
    #expect(try tokenizer { $0[TokenizerKey.addSpacePrefix] = nil }.encode("ab") == [1, 229, 153, 132, 260])
    for key in [TokenizerKey.scores, TokenizerKey.tokens] {
      let error = try #require(throws: TokenizationError.self) { try tokenizer { $0[key] = nil } }
      #expect(error.code == .badMetadata && error.description.contains(key))
    }
    let error = try #require(throws: TokenizationError.self) {
      try tokenizer { $0[TokenizerKey.removeExtraWhitespaces] = .bool(true) }
    }
    #expect(error.code == .unsupported)
  }

  @Test("an id that no vocabulary can hold is refused by its key")
  func largestID() throws {
    let error = try #require(throws: TokenizationError.self) { try tokenizer { $0[TokenizerKey.eos] = .uint(.max) } }
    #expect(error.code == .badSpecialToken)
    #expect(error.description.contains(TokenizerKey.eos))
  }
}
