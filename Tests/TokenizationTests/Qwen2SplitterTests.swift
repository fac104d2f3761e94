import Testing

@testable import Tokenization

@Suite("Qwen2Splitter")
struct Qwen2SplitterTests {
  private func pieces(_ string: String) -> [String] {
    var text = ScalarText()
    text.load(string, composed: false)
    var pieces: [String] = []
    var start = 0
    while start < text.count {
      let end = Qwen2Splitter().pieceEnd(in: text, from: start)
      #expect(end > start && end <= text.count)
      var bytes: [UInt8] = []
      text.appendUTF8(of: start..<end, to: &bytes)
      pieces.append(String(decoding: bytes, as: UTF8.self))
      start = end
    }
    return pieces
  }

  /// Expected pieces are those of the `tokenizers` library for Qwen's tokenizer.json.
  static let examples: [(String, [String])] = [
    ("", []),
    ("Hello, world", ["Hello", ",", " world"]),
    ("it's we'Re 'll", ["it", "'s", " we", "'Re", " '", "ll"]),
    ("'sx'mn'dt'tT", ["'s", "x", "'m", "n", "'d", "t", "'t", "T"]),
    ("'r 'v 'l '", ["'r", " '", "v", " '", "l", " '"]),
    ("'\u{17F} x'\u{17F}y", ["'\u{17F}", " x", "'\u{17F}", "y"]),
    ("_'S", ["_'", "S"]),
    ("123 4", ["1", "2", "3", " ", "4"]),
    ("x\u{B2}\u{BD}\u{2167}", ["x", "\u{B2}", "\u{BD}", "\u{2167}"]),
    ("a  b", ["a", " ", " b"]),
    ("a   ", ["a", "   "]),
    ("a \t1", ["a", " ", "\t", "1"]),
    ("\tx\n\ty", ["\tx", "\n", "\ty"]),
    (" \r\n x", [" \r\n", " x"]),
    (" \n \n  x", [" \n \n", " ", " x"]),
    ("!?\n\n\tx", ["!?\n\n", "\tx"]),
    (" !\r\n ", [" !\r\n", " "]),
    ("  !", [" ", " !"]),
    ("(x)", ["(x", ")"]),
    ("\u{A0}x\u{3000}\u{3000}y", ["\u{A0}x", "\u{3000}", "\u{3000}y"]),
    ("\u{180E}\u{200B} a", ["\u{180E}\u{200B}", " a"]),
    ("e\u{301}e", ["e", "\u{301}e"]),
    ("\u{0}\u{0}a", ["\u{0}\u{0}", "a"]),
    ("\u{1F680}\u{1F680} \u{1D400}", ["\u{1F680}\u{1F680}", " \u{1D400}"]),
  ]

  @Test("pieces are those of the reference", arguments: examples)
  func reference(text: String, expected: [String]) {
    #expect(pieces(text) == expected)
  }

  @Test("pieces joined are the text")
  func joined() {
    var random = SplitMix(seed: 3)
    for _ in 0..<1000 {
      let text = random.text(scalarCount: 30)
      #expect(pieces(text).joined().unicodeScalars.elementsEqual(text.unicodeScalars))
    }
  }
}
