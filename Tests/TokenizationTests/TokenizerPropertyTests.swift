import Foundation
import GGUF
@_spi(_Unicode) import Swift
import Tensors
import Testing

@testable import Tokenization

@Suite("Tokenizers of all kinds")
struct TokenizerPropertyTests {
  /// What a text is when it comes back.
  private func normalised(_ text: String, _ kind: String) throws -> [Unicode.Scalar] {
    // SentencePiece writes blanks as U+2581 and cannot tell the two apart.
    if kind == "spm" { return text.unicodeScalars.map { $0 == "\u{2581}" ? " " : $0 } }
    return try PreTokenizer.named(kind).composes ? Array(text._nfc) : Array(text.unicodeScalars)
  }

  @Test("random text comes back, whole and streamed", arguments: Fixtures.kinds)
  func roundTrip(kind: String) throws {
    let tokenizer = try Fixtures.kind(kind)
    var random = SplitMix(seed: 7)
    var distinct: Set<Int> = []
    for round in 0..<2000 {
      let count = Int(random.next() % 40)
      let text = round % 2 == 0 ? random.text(scalarCount: count) : random.nastyText(scalarCount: count)
      let tokens = tokenizer.encode(text, parseSpecial: false)
      let decoded = tokenizer.decode(tokens)
      #expect(try Array(decoded.unicodeScalars) == normalised(text, kind), "\(text.debugDescription)")
      var stream = StreamingDetokenizer(tokenizer, continuing: false)
      let streamed = tokens.map { stream.append($0) }.joined() + stream.finish()
      #expect(streamed.unicodeScalars.elementsEqual(decoded.unicodeScalars))
      distinct.insert(tokens.count)
    }
    #expect(distinct.count > 20)
  }

  @Test("a file with flipped bits gives an error or a tokenizer, which takes any text", arguments: Fixtures.kinds)
  func flippedBits(kind: String) throws {
    let path = "Tests/Fixtures/tokenizers/\(kind)/\(kind)-vocab.gguf"
    let good = try [UInt8](Data(contentsOf: Fixtures.url(path)))
    var random = SplitMix(seed: 13)
    var made = 0
    for round in 0..<60 {
      var bytes = good
      // Bits of texts, kinds and merges lie everywhere; the keys of which most depends, at the beginning.
      let range = round % 3 == 0 ? 1000 : bytes.count
      for _ in 0..<1 + random.next() % 3 { bytes[Int(random.next() % UInt64(range))] ^= 1 << UInt8(random.next() % 8) }
      let header = GGUFHeader(path: path, fileByteCount: bytes.count, bytes: bytes)
      guard let file = try? GGUFFile(headers: [header]), let tokenizer = try? Tokenizer(metadata: file.metadata) else {
        continue
      }
      made += 1
      let tokens = tokenizer.encode(random.nastyText(scalarCount: 200))
      #expect(tokens.allSatisfy { tokenizer.kind(of: $0) != nil })
      _ = tokenizer.decode(tokens, includingControl: true)
    }
    #expect(made > 0 && made < 60)
  }

  /// Runs that a scanner or a merge that looks again and again would need hours for.
  @Test("a megabyte of one kind is encoded and comes back", arguments: Fixtures.kinds)
  func megabyte(kind: String) throws {
    let tokenizer = try Fixtures.kind(kind)
    for unit in ["a", " ", "1", "\n", "'", "日A", "\u{2581}"] {
      try encodeAndDecode(unit, byteCount: 1 << 20, kind, tokenizer)
    }
    for unit in ["A", "!", "日", "Ab", " \n ", "\u{301}", "\u{301}A", "🚀", "\u{1}", "'s", "é日 1"] {
      try encodeAndDecode(unit, byteCount: 1 << 17, kind, tokenizer)
    }
  }

  private func encodeAndDecode(_ unit: String, byteCount: Int, _ kind: String, _ tokenizer: Tokenizer) throws {
    let text = String(repeating: unit, count: byteCount / unit.utf8.count)
    let tokens = tokenizer.encode(text)
    #expect(tokens.count > 100)
    #expect(try tokenizer.decode(tokens).unicodeScalars.elementsEqual(normalised(text, kind)), "\(unit)")
  }

  @Test("a megabyte of one word of which every merge exists becomes few tokens")
  func megabyteOfMerges() throws {
    let merges = ["a a", "aa aa", "aaaa aaaa"]
    let levels = try Tokenizer(.bytes(["aa", "aaaa", "aaaaaaaa"], merges: merges))
    #expect(levels.encode(String(repeating: "a", count: 1 << 20)) == Array(repeating: 258, count: 1 << 17))
    var definition = TokenizerDefinition.sentencePiece([("a", -3), ("aa", -2), ("aaaa", -1), ("aaaaaaaa", 0)])
    definition.addSpacePrefix = false
    definition.addBOS = false
    let pieces = try Tokenizer(definition).encode(String(repeating: "a", count: 1 << 20))
    #expect(pieces == Array(repeating: 262, count: 1 << 17))
  }
}
