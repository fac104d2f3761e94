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
    let model = error { $0.model = "llama" }
    #expect(model?.code == .unsupported)
    #expect(model?.description == #"tokenizer.ggml.model is "llama"; supported: gpt2 (byte-level BPE)"#)
    #expect(
      error { $0.preTokenizer = "kimi-k2" }?.description
        == #"tokenizer.ggml.pre is "kimi-k2"; supported: qwen2"#)
    #expect(error { $0.preTokenizer = nil }?.description == "tokenizer.ggml.pre is missing; supported: qwen2")
    let long = error { $0.model = String(repeating: "x\u{1B}", count: 5000) }
    #expect((long?.description.utf8.count ?? .max) < 600)
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
  }
}
