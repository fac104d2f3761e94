import Tensors
import Testing

@Suite("Quoted text")
struct QuotedTextTests {
  @Test(
    "ordinary text stands as it is, and what would hide or steer is escaped",
    arguments: [
      ("", "\"\""), ("mamba", #""mamba""#), ("it's 日本 é 🚀", #""it's 日本 é 🚀""#), (#"a"b\c"#, #""a\"b\\c""#),
      ("\n\r\t", #""\n\r\t""#), ("\u{1B}[2J\u{0}\u{7F}", #""\u{1B}[2J\u{0}\u{7F}""#),
      ("\u{9B}31m", #""\u{9B}31m""#), ("a\u{202E}b\u{2066}\u{200B}\u{FEFF}", #""a\u{202E}b\u{2066}\u{200B}\u{FEFF}""#),
      ("\u{2028}\u{2029}\u{85}", #""\u{2028}\u{2029}\u{85}""#), ("\u{E000}\u{FFFF}", #""\u{E000}\u{FFFF}""#),
    ])
  func escapes(text: String, expected: String) {
    #expect(quoted(text) == expected)
  }

  @Test("of a long text the first 80 scalars are shown, however long a character is")
  func longTexts() {
    let eighty = String(repeating: "x", count: 80)
    #expect(quoted(eighty) == "\"\(eighty)\"")
    #expect(quoted(eighty + "y") == "\"\(eighty)\"...")
    #expect(quoted("e" + String(repeating: "\u{301}", count: 1 << 20)).unicodeScalars.count == 80 + 5)
    #expect(quoted(String(repeating: "\u{1B}", count: 1 << 20)).utf8.count == 80 * 6 + 5)
  }
}
