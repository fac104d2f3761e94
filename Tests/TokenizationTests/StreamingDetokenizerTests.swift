import Tensors
import Testing

@testable import Tokenization

@Suite("StreamingDetokenizer")
struct StreamingDetokenizerTests {
  private let tokenizer: Tokenizer

  init() throws {
    tokenizer = try Tokenizer(.bytes(["<c>"]).marking(last: 1, as: .control))
  }

  /// What each byte prints, and the flush at the end.
  private func stream(_ bytes: some Sequence<UInt8>) -> [String] {
    var detokenizer = StreamingDetokenizer(tokenizer)
    return bytes.map { detokenizer.append(TokenID(UInt32($0))) } + [detokenizer.finish()]
  }

  @Test(
    "a character appears with its last byte, at every length",
    arguments: [
      "\0", "a", "\u{7F}", "\u{80}", "é", "\u{7FF}", "\u{800}", "日", "\u{D7FF}", "\u{E000}", "\u{FFFD}", "\u{FFFF}",
      "\u{10000}", "🚀", "\u{10FFFF}",
    ])
  func lengths(character: String) {
    let parts = stream(character.utf8)
    #expect(parts.dropLast(2).allSatisfy { $0.isEmpty })
    #expect(Array(parts.suffix(2)) == [character, ""])
  }

  @Test("every scalar of a text in many scripts comes back byte by byte")
  func text() {
    let text = "Größe – 日本語 👨‍👩‍👧‍👦 Привет\u{0}\u{301} ក"
    #expect(stream(text.utf8).joined().utf8.elementsEqual(text.utf8))
  }

  @Test("an unfinished character is flushed as one U+FFFD")
  func unfinished() {
    for character in ["é", "日", "🚀"] {
      for count in 1..<character.utf8.count {
        let parts = stream("x".utf8 + Array(character.utf8.prefix(count)))
        #expect(parts.last == "\u{FFFD}")
        #expect(parts.dropLast().joined() == "x")
      }
    }
  }

  @Test("bytes that cannot become a character are U+FFFD at once")
  func invalid() {
    for bytes: [UInt8] in [[0x80], [0xC0], [0xC1], [0xF5], [0xFF]] {
      #expect(stream(bytes) == ["\u{FFFD}", ""])
    }
    #expect(stream([0xE0, 0x80, 0x41]) == ["", "\u{FFFD}\u{FFFD}", "A", ""])
    #expect(stream([0xED, 0xA0]) == ["", "\u{FFFD}\u{FFFD}", ""])
    #expect(stream([0xE6, 0x97, 0x41]) == ["", "", "\u{FFFD}A", ""])
    #expect(stream([0xF4, 0x90]) == ["", "\u{FFFD}\u{FFFD}", ""])
  }

  @Test("control tokens print nothing and do not part the bytes of a character")
  func control() {
    var detokenizer = StreamingDetokenizer(tokenizer)
    #expect([0xC3, 256, 0xA9, 256, 999].map { detokenizer.append($0) } == ["", "", "é", "", ""])
    #expect(detokenizer.finish() == "")
    var naming = StreamingDetokenizer(tokenizer, includingControl: true)
    #expect(naming.append(256) == "<c>")
  }

  @Test("random bytes give the text that decoding them at once gives")
  func random() {
    var random = SplitMix(seed: 11)
    let starts: [UInt8] = [
      0x41, 0x80, 0xBF, 0xC1, 0xC3, 0xE0, 0xE6, 0xED, 0xF0, 0xF3, 0xF4, 0xF5, 0x9F, 0xA0, 0x8F, 0x90,
    ]
    for _ in 0..<5000 {
      let bytes = (0..<Int(random.next() % 12)).map { _ in starts[Int(random.next() % 16)] }
      let whole = tokenizer.decode(bytes.map { TokenID(UInt32($0)) })
      #expect(stream(bytes).joined() == whole, "\(bytes)")
    }
  }
}
