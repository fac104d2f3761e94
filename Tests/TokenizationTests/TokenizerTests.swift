import Tensors
import Testing

@testable import Tokenization

@Suite("Tokenizer")
struct TokenizerTests {
  @Test("merges apply by rank and, within a rank, from the left")
  func mergeOrder() throws {
    let tokenizer = try Tokenizer(.bytes(["ab", "bc", "aa", "abc"], merges: ["b c", "a b", "a a", "ab c"]))
    let names: [TokenID: String] = [256: "ab", 257: "bc", 258: "aa", 259: "abc"]
    func pieces(_ text: String) -> [String] {
      tokenizer.encode(text).map { names[$0] ?? String(UnicodeScalar(UInt8($0.rawValue))) }
    }
    #expect(pieces("abc") == ["a", "bc"])
    #expect(pieces("aaa") == ["aa", "a"])
    #expect(pieces("aaaab") == ["aa", "a", "ab"])
    #expect(pieces("abab") == ["ab", "ab"])
  }

  @Test("of equal merges the first counts")
  func doubledMerge() throws {
    let tokenizer = try Tokenizer(.bytes(["ab", "bc"], merges: ["a b", "b c", "a b"]))
    #expect(tokenizer.encode("abc") == [256, 99])
  }

  @Test("the longest special token at a position wins, wherever shorter ones begin")
  func longestSpecial() throws {
    let definition = TokenizerDefinition.bytes(["<s>", "<s>>", "s>", "<s>>>x"]).marking(last: 4, as: .control)
    let tokenizer = try Tokenizer(definition)
    #expect(tokenizer.encode("<s>") == [256])
    #expect(tokenizer.encode("a<s>>b") == [97, 257, 98])
    #expect(tokenizer.encode("<s>>>y") == [257, 62, 121])
    #expect(tokenizer.encode("<<s>s>") == [60, 256, 258])
    #expect(tokenizer.encode("<s>>>x<s") == [259, 60, 115])
  }

  @Test("control tokens in text are text unless asked for; user-defined tokens are always found")
  func parseSpecial() throws {
    var definition = TokenizerDefinition.bytes(["<c>", "<u>"]).marking(last: 2, as: .control)
    definition = definition.marking(last: 1, as: .userDefined)
    let tokenizer = try Tokenizer(definition)
    #expect(tokenizer.encode("<c><u>") == [256, 257])
    #expect(tokenizer.encode("<c><u>", parseSpecial: false) == [60, 99, 62, 257])
    #expect(tokenizer.decode([97, 256, 257, 98]) == "a<u>b")
    #expect(tokenizer.decode([97, 256, 257, 98], includingControl: true) == "a<c><u>b")
    #expect(tokenizer.bytes(of: 256) == Array("<c>".utf8))
    #expect(tokenizer.bytes(of: 258) == nil)
    #expect(tokenizer.decode([97, 258, 98]) == "ab")
  }

  @Test("BOS and EOS are added as the file says, and only on request")
  func addedTokens() throws {
    var definition = TokenizerDefinition.bytes(["<s>", "</s>"]).marking(last: 2, as: .control)
    definition.bos = 256
    definition.eos = 257
    #expect(try Tokenizer(definition).encode("a") == [97])
    definition.addBOS = true
    definition.addEOS = true
    let tokenizer = try Tokenizer(definition)
    #expect(tokenizer.addsBOS && tokenizer.addsEOS)
    #expect(tokenizer.encode("a") == [256, 97, 257])
    #expect(tokenizer.encode("") == [256, 257])
    #expect(tokenizer.encode("a", addSpecial: false) == [97])
  }

  @Test("tokens that end a completion by name are control tokens whatever the file says")
  func namedEnds() throws {
    let tokenizer = try Tokenizer(.bytes(["<|im_end|>", "<|endoftext|>", "<|file_sep|>", "<|im_start|>"]))
    #expect(tokenizer.eotToken == 256)
    #expect(tokenizer.endOfGeneration == [256, 257, 258])
    #expect(tokenizer.kind(of: 256) == .control)
    #expect(tokenizer.kind(of: 259) == .normal)
    #expect(tokenizer.encode("a<|im_end|>") == [97, 256])
  }

  @Test("where <|return|> ends a completion, <|end|> does not")
  func harmony() throws {
    let tokenizer = try Tokenizer(
      .bytes(["<|end|>", "<|return|>", "<|call|>", "<|channel|>"]).marking(last: 4, as: .control))
    #expect(tokenizer.endOfGeneration == [257, 258])
    #expect(tokenizer.kind(of: 256) == .userDefined)
    #expect(tokenizer.decode([256, 257, 259]) == "<|end|><|channel|>")
  }

  @Test("a text in another alphabet stands for its own bytes; unused tokens print nothing")
  func unusualTexts() throws {
    let tokenizer = try Tokenizer(.bytes(["日", "", "[PAD]"]).marking(last: 1, as: .unused))
    #expect(tokenizer.bytes(of: 256) == Array("日".utf8))
    #expect(tokenizer.bytes(of: 257) == [])
    #expect(tokenizer.decode([256, 257, 258, 0xE6, 0x97]) == "日\u{FFFD}")
  }

  @Test("a megabyte of beginnings of special tokens is encoded and comes back, however deep and wide these are")
  func almostSpecial() throws {
    let special = String(repeating: "<", count: 1000) + "!"
    let tokenizer = try Tokenizer(.bytes([special]).marking(last: 1, as: .control))
    let text = String(repeating: "<", count: 1 << 20) + "!"
    let tokens = tokenizer.encode(text)
    #expect(tokens.count == (1 << 20) - 1000 + 1)
    #expect(tokens.last == 256)
  }

  /// A search that tries every position, or that walks from sibling to sibling, takes some 1e10 steps for these.
  @Test("a megabyte of one letter is encoded at once by tokens of that letter with all others in front and behind")
  func almostSpecialEverywhere() throws {
    let others = (1..<128).filter { $0 != 97 }.map { String(Unicode.Scalar(UInt8($0))) }
    func letters(_ count: Int) -> String { String(repeating: "a", count: count) }
    // Deep in both directions: ends of a word of 1024 bytes, and its beginnings.
    let deep = ["b" + letters(1023), letters(1023) + "b"]
    let wide = others.flatMap { other in [1, 2, 60, 999].flatMap { [other + letters($0), letters($0) + other] } }
    var definition = TokenizerDefinition.bytes(deep + wide).marking(last: deep.count + wide.count, as: .control)
    let megabyte = letters(1 << 20)
    #expect(try Tokenizer(definition).encode(megabyte) == Array(repeating: 97, count: 1 << 20))
    let ended = try Tokenizer(definition).encode(megabyte + "b")
    #expect(ended == Array(repeating: 97, count: (1 << 20) - 1023) + [257])
    // Pairs of the letter are tokens themselves, so that a longer one may begin at each but does not.
    definition = TokenizerDefinition.bytes(deep + wide + ["aa"]).marking(
      last: deep.count + wide.count + 1, as: .control)
    let pair = TokenID(UInt32(definition.tokens.count - 1))
    #expect(try Tokenizer(definition).encode(megabyte) == Array(repeating: pair, count: 1 << 19))
  }
}
