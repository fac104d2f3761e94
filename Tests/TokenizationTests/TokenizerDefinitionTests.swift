import GGUF
import Testing

@testable import Tokenization

@Suite("Tokenizer of hostile metadata")
struct TokenizerDefinitionTests {
  private func error(_ change: (inout TokenizerDefinition) -> Void) -> TokenizationError? {
    var definition = TokenizerDefinition.bytes(["ab", "<e>"], merges: ["a b"])
    change(&definition)
    do throws(TokenizationError) {
      _ = try Tokenizer(definition)
      return nil
    } catch {
      return error
    }
  }

  @Test("what the other tests change is good before")
  func good() {
    #expect(error { _ in } == nil)
  }

  @Test("another model or pre-tokenizer is refused naming it and the supported ones")
  func unsupported() {
    let model = error { $0.model = "bert" }
    #expect(model?.code == .unsupported)
    #expect(
      model?.description
        == #"tokenizer.ggml.model is "bert"; supported: gpt2 (byte-level BPE), llama (SentencePiece BPE)"#)
    let unknown = error { $0.preTokenizer = "default" }
    #expect(unknown?.code == .unsupported)
    #expect(unknown?.description.hasPrefix(#"tokenizer.ggml.pre is "default"; supported: qwen2, "#) == true)
    #expect(unknown?.description.contains("llama-bpe, llama3, ") == true)
    #expect(error { $0.preTokenizer = nil }?.description.hasPrefix("tokenizer.ggml.pre is missing") == true)
    let long = error { $0.model = String(repeating: "x\u{1B}", count: 5000) }
    #expect((long?.description.utf8.count ?? .max) < 600)
  }

  @Test("every name of the table is accepted, and stands for one row")
  func names() {
    let names = PreTokenizer.all.flatMap(\.names)
    #expect(Set(names).count == names.count)
    for name in names {
      #expect(
        error {
          $0.preTokenizer = name
          $0.bos = 0
        } == nil)
    }
  }

  @Test("lengths that contradict each other are refused")
  func lengths() {
    #expect(error { $0.tokens = [] }?.code == .badVocabulary)
    #expect(error { $0.kinds = [] }?.code == .badVocabulary)
    #expect(error { $0.kinds = Array(repeating: 1, count: 257) }?.code == .badVocabulary)
    #expect(error { $0.kinds = Array(repeating: 1, count: 258) } == nil)
    #expect(error { $0.kinds = Array(repeating: 1, count: 259) }?.code == .badVocabulary)
  }

  @Test("token types outside 0 to 6 are refused by index", arguments: [-1, 7, 255, 256, .max, .min])
  func kinds(value: Int) {
    let refused = error {
      $0.kinds = Array(repeating: 1, count: 258)
      $0.kinds?[3] = value
    }
    #expect(refused?.code == .badVocabulary)
    #expect(refused?.description.hasPrefix("tokenizer.ggml.token_type[3] is \(value)") == true)
  }

  @Test(
    "merges that are no pairs, or name or make unknown tokens, are refused by index",
    arguments: ["", " ", "a", "a ", " a", "ab", "a  b", "a x", "x a", "zz b", "ab ab", "a b c"])
  func merges(merge: String) {
    let refused = error { $0.merges.append(merge) }
    #expect(refused?.code == .badVocabulary)
    #expect(refused?.description.hasPrefix("tokenizer.ggml.merges[1]") == true)
  }

  @Test("a text that occurs twice is refused, canonically equivalent ones are two texts")
  func duplicates() {
    #expect(error { $0.tokens.append("ab") }?.code == .badVocabulary)
    #expect(error { $0.tokens += ["\u{E9}\u{E9}", "e\u{301}\u{E9}", "", ""] } == nil)
  }

  @Test("a vocabulary without a byte of UTF-8 is refused; bytes that UTF-8 never uses may be missing")
  func missingBytes() {
    #expect(error { $0.tokens[0x41] = "other" }?.description.contains("byte 65") == true)
    #expect(error { $0.tokens[0xF4] = "other" }?.code == .badVocabulary)
    for byte in [0xC0, 0xC1, 0xF5, 0xFF] { #expect(error { $0.tokens[byte] = "other" } == nil) }
  }

  @Test("ids outside the vocabulary are refused by key", arguments: [-1, 258, 1 << 31, 1 << 32, Int.max])
  func ids(id: Int) {
    let keys: [(WritableKeyPath<TokenizerDefinition, Int?>, String)] = [
      (\.bos, TokenizerKey.bos), (\.eos, TokenizerKey.eos), (\.endOfTurn, TokenizerKey.endOfTurn),
      (\.endOfMessage, TokenizerKey.endOfMessage), (\.padding, TokenizerKey.padding),
    ]
    for (path, key) in keys {
      let refused = error { $0[keyPath: path] = id }
      #expect(refused?.code == .badSpecialToken)
      #expect(refused?.description == "\(key) is \(id); the vocabulary holds the tokens 0 to 257")
      #expect(error { $0[keyPath: path] = 257 } == nil)
    }
  }

  @Test("a token that is to be added must be named")
  func addedTokens() {
    #expect(error { $0.addBOS = true }?.code == .badSpecialToken)
    #expect(error { $0.addEOS = true }?.code == .badSpecialToken)
  }

  @Test("counts and lengths above the limits are refused")
  func limits() {
    let tooMany = error { $0.tokens = (0...TokenizerLimits.tokenCount).map { String($0) } }
    #expect(tooMany?.code == .limitExceeded)
    let merges = error { $0.merges = Array(repeating: "a b", count: TokenizerLimits.mergeCount + 1) }
    #expect(merges?.code == .limitExceeded)
    let bytes = error {
      $0.tokens += (0..<17).map { String(repeating: Character(UnicodeScalar(UInt8(97 + $0))), count: 1 << 20) }
    }
    #expect(bytes?.code == .limitExceeded)
    let special = error {
      $0.tokens.append(String(repeating: "<", count: TokenizerLimits.specialTokenByteCount + 1))
      $0.kinds = $0.tokens.map { _ in 1 }
      $0.kinds?[258] = 3
    }
    #expect(special?.code == .limitExceeded)
    #expect(special?.description.contains("tokens[258] is a special token of 1025 bytes") == true)
  }

  @Test("special tokens that are too long together are refused, as many of the ordinary kind are not")
  func specialTokensTogether() {
    func error(_ kind: Int) -> TokenizationError? {
      self.error {
        let filler = String(repeating: "x", count: TokenizerLimits.specialTokenByteCount - 4)
        let count = TokenizerLimits.specialTokensByteCount / TokenizerLimits.specialTokenByteCount + 1
        let first = $0.tokens.count
        $0.tokens += (0..<count).map { filler + String($0 + 1000) }
        $0.kinds = $0.tokens.indices.map { $0 < first ? 1 : kind }
      }
    }
    #expect(error(1) == nil)
    for kind in [3, 4] {
      #expect(error(kind)?.code == .limitExceeded)
      #expect(error(kind)?.description.contains("tokenizer.ggml.tokens") == true)
    }
  }
}

@Suite("Tokenizer of hostile metadata of SentencePiece")
struct SentencePieceDefinitionTests {
  private func error(_ change: (inout TokenizerDefinition) -> Void) -> TokenizationError? {
    var definition = TokenizerDefinition.sentencePiece([("a", -1), ("b", -2)])
    change(&definition)
    do throws(TokenizationError) {
      _ = try Tokenizer(definition)
      return nil
    } catch {
      return error
    }
  }

  @Test("what the other tests change is good before, and without kinds")
  func good() {
    #expect(error { _ in } == nil)
    #expect(error { $0.kinds = nil } == nil)
    #expect(error { $0.merges = ["no merge"] } == nil)
    #expect(error { $0.preTokenizer = "whatever" } == nil)
  }

  @Test("scores that are missing, too few, too many or no numbers are refused by key")
  func scores() {
    let missing = error { $0.scores = nil }
    #expect(missing?.code == .badMetadata && missing?.description.hasPrefix("tokenizer.ggml.scores is missing") == true)
    for count in [0, 1, 260, 262] {
      let wrong = error { $0.scores = Array(repeating: 0, count: count) }
      #expect(wrong?.code == .badVocabulary)
      #expect(wrong?.description.hasPrefix("tokenizer.ggml.scores holds \(count) values for the 261 tokens") == true)
    }
    let noNumber = error { $0.scores?[7] = .nan }
    #expect(noNumber?.code == .badVocabulary && noNumber?.description.hasPrefix("tokenizer.ggml.scores[7]") == true)
  }

  @Test("a vocabulary without a byte of UTF-8 is refused; bytes that UTF-8 never uses may be missing")
  func missingBytes() {
    let missing = error {
      $0.tokens[3 + 0x41] = "other"
      $0.kinds?[3 + 0x41] = 1
    }
    #expect(missing?.code == .badVocabulary && missing?.description.contains("<0x41>") == true)
    // A control token is not the byte that it is called after.
    #expect(error { $0.kinds?[3 + 0x41] = 3 }?.description.contains("<0x41>") == true)
    for byte in [0xC0, 0xC1, 0xF5, 0xFF] {
      #expect(
        error {
          $0.tokens[3 + byte] = "other"
          $0.kinds?[3 + byte] = 1
        } == nil)
    }
  }

  @Test("a byte must be called so")
  func falseBytes() {
    let refused = error { $0.kinds?[259] = 6 }
    #expect(refused?.code == .badVocabulary)
    #expect(refused?.description.hasPrefix(#"tokenizer.ggml.token_type[259] says that "a" is a byte"#) == true)
  }

  @Test("texts that occur twice, kinds outside 0 to 6 and ids outside the vocabulary are refused")
  func shared() {
    #expect(error { $0.tokens[260] = "a" }?.code == .badVocabulary)
    #expect(error { $0.kinds?[260] = 7 }?.description.hasPrefix("tokenizer.ggml.token_type[260] is 7") == true)
    #expect(error { $0.eos = 261 }?.code == .badSpecialToken)
    #expect(error { $0.bos = nil }?.description.contains(TokenizerKey.bos) == true)
    #expect(
      error {
        $0.bos = nil
        $0.addBOS = false
      } == nil)
  }

  @Test("a token too long to be compared with text is refused, a longer control token is a special token's matter")
  func limits() {
    let long = String(repeating: "a", count: TokenizerLimits.sentencePieceByteCount + 1)
    let refused = error { $0.tokens[260] = long }
    #expect(refused?.code == .limitExceeded && refused?.description.hasPrefix("tokenizer.ggml.tokens[260]") == true)
    #expect(error { $0.tokens[260] = String(long.dropLast()) } == nil)
  }

  @Test("what is not built in is refused by key")
  func unsupported() {
    #expect(error { $0.removeExtraWhitespaces = true }?.code == .unsupported)
    #expect(error { $0.removeExtraWhitespaces = true }?.description.contains("remove_extra_whitespaces") == true)
    #expect(error { $0.removeExtraWhitespaces = false } == nil)
  }
}
