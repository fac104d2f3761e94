import Tensors
import Testing

@testable import Tokenization

@Suite("SentencePieceEncoder")
struct SentencePieceEncoderTests {
  /// What each token of a text prints, without BOS and the blank in front; bytes as their names.
  private func pieces(_ text: String, _ scored: [(String, Float)]) throws -> [String] {
    var definition = TokenizerDefinition.sentencePiece(scored)
    definition.addSpacePrefix = false
    let tokens = try Tokenizer(definition).encode(text, addSpecial: false)
    return tokens.map { definition.tokens[Int($0.rawValue)] }
  }

  @Test("the pair of the highest score is joined first, of equals the leftmost")
  func order() throws {
    let letters: [(String, Float)] = [("a", -9), ("b", -9), ("c", -9)]
    #expect(try pieces("abc", letters + [("ab", -2), ("bc", -1)]) == ["a", "bc"])
    #expect(try pieces("abc", letters + [("ab", -1), ("bc", -1)]) == ["ab", "c"])
    #expect(try pieces("aaaaa", letters + [("aa", -1)]) == ["aa", "aa", "a"])
    #expect(try pieces("abab", letters + [("ab", -2), ("ba", -1), ("bab", -3)]) == ["a", "bab"])
    // Joined again by a token of a lower score than others of the text.
    #expect(try pieces("abc", letters + [("ab", -2), ("abc", -7)]) == ["abc"])
    #expect(try pieces("abc", letters + [("ab", 0), ("bc", -0.0)]) == ["ab", "c"])
    #expect(try pieces("abc", letters + [("ab", -.infinity), ("bc", .infinity)]) == ["a", "bc"])
  }

  @Test("a character that is no token can still be joined, and alone is written as bytes")
  func unknownCharacters() throws {
    #expect(try pieces("née", [("n", -2), ("e", -3), ("né", -1)]) == ["né", "e"])
    #expect(try pieces("né日", [("n", -2)]) == ["n", "<0xC3>", "<0xA9>", "<0xE6>", "<0x97>", "<0xA5>"])
    #expect(try pieces("日本", [("日本", -2)]) == ["日本"])
    #expect(try pieces("\n", [("n", -2)]) == ["<0x0A>"])
  }

  @Test("control tokens and bytes are not made of text that is written like them")
  func notMadeOfText() throws {
    let tokenizer = try Tokenizer(
      .sentencePiece([("▁", -1), ("<", -1), ("s", -1), (">", -1), ("<s", -2), ("s>", -2), ("<0x0", -2), ("A>", -2)]))
    let text = "<s> <0x0A>"
    let tokens = tokenizer.encode(text, parseSpecial: false, addSpecial: false)
    #expect(!tokens.contains(1) && !tokens.contains(13))
    #expect(tokenizer.decode(tokens) == text)
    #expect(tokenizer.encode("<s>", addSpecial: false) == [1])
  }

  @Test("a blank is put in front of texts, also behind special tokens, unless the file says otherwise")
  func spacePrefix() throws {
    var definition = TokenizerDefinition.sentencePiece([("▁", -5), ("a", -5), ("▁a", -1), ("▁▁", -2)])
    let prefixing = try Tokenizer(definition)
    #expect(prefixing.encode("a") == [1, 261])
    #expect(prefixing.encode("") == [1])
    #expect(prefixing.encode(" a") == [1, 259, 261])
    #expect(prefixing.encode("a</s>a", addSpecial: false) == [261, 2, 261])
    definition.addSpacePrefix = false
    let plain = try Tokenizer(definition)
    #expect(plain.encode("a") == [1, 260])
    #expect(plain.encode(" a") == [1, 261])
    #expect(plain.decode([261, 261]) == " a a")
  }

  @Test("a whole text loses the blank in front, once; what goes on from others does not")
  func decoding() throws {
    let tokenizer = try Tokenizer(.sentencePiece([("▁", -5), ("a", -5), ("▁a", -1), ("▁▁a▁", -2)]))
    #expect(tokenizer.decode([261, 261]) == "a a")
    #expect(tokenizer.decode([1, 261]) == "a")
    #expect(tokenizer.decode([1, 261], includingControl: true) == "<s> a")
    #expect(tokenizer.decode([262]) == " a ")
    #expect(tokenizer.decode([260, 261]) == "a a")
    #expect(tokenizer.decode([259, 259]) == " ")
    #expect(tokenizer.decode([68, 261]) == "A a")
    #expect(tokenizer.decode([261, 261], continuing: true) == " a a")
    var completion = StreamingDetokenizer(tokenizer)
    #expect(completion.append(261) == " a")
    var text = StreamingDetokenizer(tokenizer, continuing: false)
    #expect([1, 261, 261].map { text.append($0) } == ["", "a", " a"])
    #expect(text.finish() == "" && text.append(261) == "a")
  }

  @Test("words are cut only where no token reaches across")
  func words() {
    for text in ["▁", "▁▁", "▁a", "▁▁ab", "a", "é", "\u{2580}"] {
      #expect(!SentencePieceText.hasBlankBehindText(Array(text.utf8)[...]), "\(text)")
    }
    for text in ["a▁", "a▁b", "▁a▁", "é▁▁"] {
      #expect(SentencePieceText.hasBlankBehindText(Array(text.utf8)[...]), "\(text)")
    }
  }

  @Test("bytes make characters")
  func bytes() throws {
    let tokenizer = try Tokenizer(.sentencePiece([("a", -1)]))
    #expect(tokenizer.bytes(of: 3) == [0] && tokenizer.bytes(of: 258) == [255])
    #expect(tokenizer.decode([0xC3, 0xA9].map { TokenID($0 + 3) }) == "é")
    #expect(tokenizer.decode([198, 259]) == "\u{FFFD}a")
    for byte in UInt8.min...UInt8.max {
      #expect(SentencePieceText.byte(of: Array(SentencePieceText.name(of: byte).utf8)[...]) == byte)
    }
    for text in ["<0x0a>", "<0x0>", "<0x00", "<0xZZ>", "<0x+1>", "0x0000", "<0x000>", ""] {
      #expect(SentencePieceText.byte(of: Array(text.utf8)[...]) == nil)
    }
  }

  @Test("random scores give what joining one pair after another by hand gives")
  func againstNaive() throws {
    var random = SplitMix(seed: 21)
    for round in 0..<40 {
      var scored: [(String, Float)] = [("a", -50), ("b", -50), ("▁", -50)]
      // Every other vocabulary is one of words, as most are: no token has a blank behind something else.
      let isOfWords = round % 2 == 0
      while scored.count < 40 {
        let left = scored[Int(random.next() % UInt64(scored.count))].0
        let right = (scored + [("é", 0)])[Int(random.next() % UInt64(scored.count + 1))].0
        guard left.count + right.count < 9, !scored.contains(where: { $0.0 == left + right }) else { continue }
        if isOfWords, left.drop(while: { $0 == "▁" }).count > 0, right.contains("▁") { continue }
        if isOfWords, right.drop(while: { $0 == "▁" }).contains("▁") { continue }
        scored.append((left + right, -Float(random.next() % 12)))
      }
      for _ in 0..<20 {
        let text = (0..<Int(random.next() % 60)).map { _ in ["a", "b", "é", " ", "▁"][Int(random.next() % 5)] }.joined()
        #expect(try pieces(text, scored) == naive(text.replacing(" ", with: "▁"), scored))
      }
    }
  }

  private func naive(_ text: String, _ scored: [(String, Float)]) -> [String] {
    var symbols = text.map { String($0) }
    while true {
      var best: (index: Int, score: Float)?
      for index in symbols.indices.dropLast() {
        guard let token = scored.first(where: { $0.0 == symbols[index] + symbols[index + 1] }) else { continue }
        if token.1 > best?.score ?? -.infinity { best = (index, token.1) }
      }
      guard let best else { break }
      symbols.replaceSubrange(best.index...best.index + 1, with: [symbols[best.index] + symbols[best.index + 1]])
    }
    return symbols.flatMap { $0 == "é" ? ["<0xC3>", "<0xA9>"] : [$0] }
  }
}
