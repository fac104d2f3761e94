import Foundation
import Testing

@testable import Tokenization

@Suite("PieceScanner")
struct PieceScannerTests {
  private func pieces(_ string: String, _ rules: SplitRules) -> [String] {
    var text = ScalarText()
    text.load(string, composed: false)
    var scanner = PieceScanner(rules)
    var pieces: [String] = []
    var start = 0
    while start < text.count {
      let end = scanner.pieceEnd(in: text, from: start)
      #expect(end > start && end <= text.count)
      var bytes: [UInt8] = []
      text.appendUTF8(of: start..<end, to: &bytes)
      pieces.append(String(decoding: bytes, as: UTF8.self))
      start = end
    }
    return pieces
  }

  /// Expected pieces are those of the `tokenizers` library for Qwen's tokenizer.json.
  static let qwen2Examples: [(String, [String])] = [
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

  @Test("pieces of qwen2 are those of the reference", arguments: qwen2Examples)
  func qwen2(text: String, expected: [String]) {
    #expect(pieces(text, .gpt4(digits: 1)) == expected)
  }

  @Test("what the other rules cut differently")
  func others() {
    #expect(pieces("12345 6", .gpt4(digits: 3)) == ["123", "45", " ", "6"])
    // Case: a capital behind a small letter begins a piece, and letters without case belong to both.
    let gpt4o = SplitRules.gpt4o(digits: 3, contractions: true)
    #expect(pieces("camelCaseWORD HTTPServer", gpt4o) == ["camel", "Case", "WORD", " HTTPServer"])
    #expect(pieces("A日B日CD", gpt4o) == ["A日B日", "CD"])
    #expect(pieces("we'RE don't ABC's", gpt4o) == ["we'RE", " don't", " ABC's"])
    #expect(pieces("\u{301}ABC\n!ABC", gpt4o) == ["\u{301}", "ABC", "\n", "!ABC"])
    #expect(pieces("//\n/x", gpt4o) == ["//\n/", "x"])
    #expect(pieces("don't 12", .gpt4o(digits: 1, contractions: false)) == ["don", "'t", " ", "1", "2"])
    // Chinese is cut from other letters.
    #expect(pieces("a日本b カナ日々〇", .kimiK2) == ["a", "日本", "b", " カナ", "日々〇"])
    #expect(pieces("A日B", .kimiK2) == ["A", "日", "B"])
    #expect(pieces("!⺀日//\n/x", .kimiK2) == ["!⺀", "日", "//\n", "/x"])
    #expect(pieces("we're WE'RE 'ſ 123", .gpt2) == ["we", "'re", " WE", "'", "RE", " '", "ſ", " 123"])
    #expect(pieces("a!\n\n  b", .gpt2) == ["a", "!", "\n\n ", " b"])
    // Stages of DeepSeek: what stands in front of digits or kana is at an end there.
    #expect(pieces("a  12345  日本カ・ー  b", .deepSeekV3) == ["a", "  ", "123", "45", "  ", "日本カ", "・", "ー", " ", " b"])
    #expect(pieces("_naïve !?\n x", .deepSeekV3) == ["_na", "ïve", " !?\n", " x"])
    #expect(pieces("\u{0}\u{0}a\u{0}!", .deepSeekV3) == ["\u{0}", "\u{0}a", "\u{0}", "!"])
  }

  @Test("what the rules of DeepSeek before V3 cut differently")
  func olderDeepSeek() {
    // Symbols reach across the letters of ASCII, and so cut them from others.
    #expect(pieces("naïve don't", .deepSeekLLM) == ["na", "ï", "ve", " don", "'", "t"])
    #expect(pieces("a  b\n\n  c", .deepSeekLLM) == ["a", " ", " b", "\n", "\n", " ", " c"])
    #expect(pieces("日本 12  ", .deepSeekLLM) == ["日本", " ", "12", "  "])
    #expect(pieces("  日\u{20}  ", .deepSeekLLM) == ["  ", "日", "   "])
    #expect(pieces("é+1 ½!", .deepSeekLLM) == ["é", "+", "1", " ", "½", "!"])
    #expect(pieces("naïve don't", .deepSeekCoder) == ["naïve", " don", "'", "t"])
    #expect(pieces("a+b 12 !?", .deepSeekCoder) == ["a", "+", "b", " ", "1", "2", " !?"])
    #expect(pieces("\t\tx\r\n", .deepSeekCoder) == ["\t", "\tx", "\r", "\n"])
  }

  @Test("scalars that the expressions of DeepSeek list are those of the traits, one by one")
  func deepSeekScalars() throws {
    let lists: [(String, ScalarTraits)] = [
      (Self.deepSeekLetters, .deepSeekLetter), (Self.deepSeekSymbols, .deepSeekSymbol),
      (Self.deepSeekIdeographs, .deepSeekIdeograph),
    ]
    let scalars = (UInt32(1)..<0x20000).compactMap { Unicode.Scalar($0) }
    for (list, trait) in lists {
      // One piece for every scalar, since the expression takes one at a time.
      let expression = try NSRegularExpression(pattern: "[" + list + "]")
      var text = String.UnicodeScalarView()
      text.append(contentsOf: scalars)
      let whole = String(text) as NSString
      let found = expression.matches(in: String(text), range: NSRange(location: 0, length: whole.length))
        .flatMap { whole.substring(with: $0.range).unicodeScalars }
      #expect(found.count > 100)
      #expect(found == scalars.filter { ScalarTraits.of($0).contains(trait) })
    }
  }

  /// Runs that a rule that looks again and again would need minutes for.
  @Test("a long run of one kind is cut, with something else behind it", arguments: PreTokenizer.all.map { $0.names[0] })
  func longRuns(name: String) throws {
    let rules = try PreTokenizer.named(name).rules
    for unit in [" ", "\n", "a", "é", "!", "日", "1", "\u{301}", "\u{3000}", " 日", "\u{1}"] {
      let text = String(repeating: unit, count: (1 << 17) / unit.utf8.count)
      for end in ["", "日", "🚀 "] { #expect(pieces(text + end, rules).joined() == text + end) }
    }
  }

  /// The expressions of the models' tokenizer.json, one for each stage; those of DeepSeek before V3, Solar and GPT-2 as
  /// llama.cpp states them, for lack of goldens.
  static let expressions: [String: [String]] = [
    "qwen2": [#"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"# + rest],
    "llama-bpe": [#"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"# + rest],
    "glm4": [#"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"# + rest],
    "deepseek-v3": [
      #"\p{N}{1,3}"#, #"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"#,
      ##"[!"#\$%\&'()*+,\-./:;<=>?@\[\\\]\^_`\{\|\}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
        + #"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
    ],
    "kimi-k2": [
      #"[\p{Han}]+|"# + cased(upper: han(upper), lower: han(lower), #"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"#)
        + #"|\p{N}{1,3}|"#
        + rest
    ],
    "gpt-4o": [
      cased(upper: upper, lower: lower, #"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"#) + #"|\p{N}{1,3}|"#
        + rest.replacing(#"[\r\n]*"#, with: #"[\r\n/]*"#)
    ],
    "tekken": [
      cased(upper: upper, lower: lower, "") + #"|\p{N}|"# + rest.replacing(#"[\r\n]*"#, with: #"[\r\n/]*"#)
    ],
    "deepseek-llm": [
      #"[\r\n]"#, #"\s?["# + deepSeekLetters + "]+", #"\s?["# + deepSeekSymbols + "]+", #"\s+$"#,
      "[" + deepSeekIdeographs + "]+", #"\p{N}+"#,
    ],
    "deepseek-coder": [
      #"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, "[" + deepSeekIdeographs + "]+", #"\p{N}"#,
    ],
    "solar-open": [#"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"# + rest],
    "olmo": [gpt2],
    "gpt-2": [gpt2],
  ]

  private static let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
  private static let deepSeekLetters =
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-"
    + "ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-"
    + "ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃"
  private static let deepSeekSymbols = "!-/:-~！-／：-～‘-‟\u{3000}-。"
  private static let deepSeekIdeographs = "一-龥ࠀ-一가-\u{D7FF}"

  private static let rest = #" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  private static let upper = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#
  private static let lower = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#
  private static func han(_ set: String) -> String { "[" + set + #"&&[^\p{Han}]]"# }
  private static func cased(upper: String, lower: String, _ end: String) -> String {
    let lead = #"[^\r\n\p{L}\p{N}]?"#
    return "\(lead)\(upper)*\(lower)+\(end)|\(lead)\(upper)+\(lower)*\(end)"
  }

  /// What a regular expression, as the `tokenizers` library uses it, makes of a text: its matches, and what lies between.
  private func cut(_ text: String, by expression: NSRegularExpression) -> [String] {
    let whole = text as NSString
    var pieces: [String] = []
    var start = 0
    func add(upTo end: Int) {
      if end > start { pieces.append(whole.substring(with: NSRange(location: start, length: end - start))) }
      start = end
    }
    for match in expression.matches(in: text, range: NSRange(location: 0, length: whole.length)) {
      add(upTo: match.range.location)
      add(upTo: match.range.location + match.range.length)
    }
    add(upTo: whole.length)
    return pieces
  }

  @Test(
    "random texts are cut as the regular expressions cut them, and the pieces joined are the text",
    arguments: PreTokenizer.all.map { $0.names[0] })
  func againstExpressions(name: String) throws {
    let row = try PreTokenizer.named(name)
    let expressions = try #require(Self.expressions[name]).map { pattern in
      // ICU's \s lacks two of the scalars that are white space.
      try NSRegularExpression(
        pattern: pattern.replacing(#"\s"#, with: #"\p{White_Space}"#).replacing(#"\S"#, with: #"\P{White_Space}"#))
    }
    var random = SplitMix(seed: 3)
    var counts: Set<Int> = []
    for _ in 0..<4000 {
      let text = random.nastyText(scalarCount: 1 + Int(random.next() % 24))
      let found = pieces(text, row.rules)
      let expected = expressions.reduce([text]) { pieces, expression in pieces.flatMap { cut($0, by: expression) } }
      #expect(
        found.map { Array($0.unicodeScalars) } == expected.map { Array($0.unicodeScalars) }, "\(text.debugDescription)")
      #expect(found.joined().unicodeScalars.elementsEqual(text.unicodeScalars))
      counts.insert(found.count)
    }
    #expect(counts.count > 10)
  }
}
