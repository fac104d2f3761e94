// The regular expressions that the data states are those of the models' own tokenizer.json; X stands for
// [^\r\n\p{L}\p{N}], and the blanks around the alternatives for nothing.

extension SplitRules {
  /// OpenAI's expression for GPT-4, as Qwen, Llama 3 and GLM use it; they differ in how many digits make a piece.
  ///
  ///     (?i:'s|'t|'re|'ve|'m|'ll|'d) | X?\p{L}+ | \p{N}{1,digits} | ?[^\s\p{L}\p{N}]+[\r\n]*
  ///     | \s*[\r\n]+ | \s+(?!\S) | \s+
  static func gpt4(digits: Int) -> SplitRules {
    SplitRules(
      [
        SplitAlternative(.contraction(ignoringCase: true)),
        SplitAlternative(lead: .beforeWord, .run(.letters)),
      ] + numbersAndRest(digits: digits, behindSymbols: .lineBreaks))
  }

  /// OpenAI's expression for GPT-4o, which also cuts where a small letter is followed by a capital. With
  /// A for [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and a for [\p{Ll}\p{Lm}\p{Lo}\p{M}]:
  ///
  ///     X?A*a+(?i:'s|'t|'re|'ve|'m|'ll|'d)? | X?A+a*(?i:'s|'t|'re|'ve|'m|'ll|'d)? | \p{N}{1,digits}
  ///     | ?[^\s\p{L}\p{N}]+[\r\n/]* | \s*[\r\n]+ | \s+(?!\S) | \s+
  ///
  /// - Parameter contractions: whether words take 's and its like with them.
  static func gpt4o(digits: Int, contractions: Bool) -> SplitRules {
    SplitRules(
      casedWords(except: [], contractions: contractions)
        + numbersAndRest(digits: digits, behindSymbols: ScalarSet([.lineBreak, .slash])))
  }

  /// Kimi K2's: as GPT-4o's, but Chinese characters are cut from other letters, `[\p{Han}]+ |` in front and `&&[^\p{Han}]`
  /// in A and a, and no slash is taken behind symbols.
  static let kimiK2 = SplitRules(
    [SplitAlternative(.run(ScalarSet(.han)))] + casedWords(except: .han, contractions: true)
      + numbersAndRest(digits: 3, behindSymbols: .lineBreaks))

  /// GPT-2's, which OLMo uses:
  ///
  ///     's|'t|'re|'ve|'m|'ll|'d | ?\p{L}+ | ?\p{N}+ | ?[^\s\p{L}\p{N}]+ | \s+(?!\S) | \s+
  ///
  /// (with a blank before the question marks).
  static let gpt2 = SplitRules([
    SplitAlternative(.contraction(ignoringCase: false)),
    SplitAlternative(lead: .blank, .run(.letters)),
    SplitAlternative(lead: .blank, .run(.numbers)),
    SplitAlternative(lead: .blank, .run(.notSpaceLetterOrNumber)),
    SplitAlternative(.spaceApart),
    SplitAlternative(.run(.whitespace)),
  ])

  /// DeepSeek V3's, three expressions of which each cuts what the one before left, with Q for the symbols of ASCII:
  ///
  ///     \p{N}{1,3}
  ///     [一-龥぀-ゟ゠-ヿ]+
  ///     Q[A-Za-z]+ | [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+ | ?[\p{P}\p{S}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
  static let deepSeekV3 = SplitRules(
    [SplitAlternative(.run(.numbers, most: 3))],
    [SplitAlternative(.run(ScalarSet(.kanaOrIdeograph)))],
    [
      SplitAlternative(.run(ScalarSet(.asciiSymbol), most: 1), tail: .run(ScalarSet(.asciiLetter))),
      SplitAlternative(
        lead: ScalarSet(.scalar, except: [.lineBreak, .symbol, .letter]), .run(ScalarSet([.letter, .mark]))),
      SplitAlternative(lead: .blank, .run(ScalarSet(.symbol)), tail: .run(.lineBreaks, least: 0)),
    ] + whitespace)

  /// That of DeepSeek LLM, V2 and V2.5, with L, Q and I for the letters, symbols and ideographs of `DeepSeekScalars`:
  ///
  ///     [\r\n]
  ///     \s?L+
  ///     \s?Q+
  ///     \s+$
  ///     I+
  ///     \p{N}+
  static let deepSeekLLM = SplitRules(
    [SplitAlternative(.run(.lineBreaks, most: 1))],
    [SplitAlternative(lead: .whitespace, .run(ScalarSet(.deepSeekLetter)))],
    [SplitAlternative(lead: .whitespace, .run(ScalarSet(.deepSeekSymbol)))],
    [SplitAlternative(.spaceAtEnd), SplitAlternative(.run(.whitespace), cuts: false)],
    [SplitAlternative(.run(ScalarSet(.deepSeekIdeograph)))],
    [SplitAlternative(.run(.numbers))])

  /// That of DeepSeek Coder and Coder V2:
  ///
  ///     [\r\n]
  ///     \s?\p{L}+
  ///     \s?\p{P}+
  ///     I+
  ///     \p{N}
  static let deepSeekCoder = SplitRules(
    [SplitAlternative(.run(.lineBreaks, most: 1))],
    [SplitAlternative(lead: .whitespace, .run(.letters))],
    [SplitAlternative(lead: .whitespace, .run(ScalarSet(.punctuation)))],
    [SplitAlternative(.run(ScalarSet(.deepSeekIdeograph)))],
    [SplitAlternative(.run(.numbers, most: 1))])

  /// `X?A*a+` and `X?A+a*`, possibly with a contraction. The second does without `a*`: had there been such a letter, the
  /// first would have matched.
  private static func casedWords(except: ScalarTraits, contractions: Bool) -> [SplitAlternative] {
    let capitals = ScalarSet([.capital, .caseless, .mark], except: except)
    let smalls = ScalarSet([.small, .caseless, .mark], except: except)
    let tail: SplitElement? = contractions ? .contractionIfAny : nil
    return [
      SplitAlternative(lead: .beforeWord, .ending(capitals, smalls), tail: tail),
      SplitAlternative(lead: .beforeWord, .run(capitals), tail: tail),
    ]
  }

  private static func numbersAndRest(digits: Int, behindSymbols: ScalarSet) -> [SplitAlternative] {
    [
      SplitAlternative(.run(.numbers, most: digits)),
      SplitAlternative(lead: .blank, .run(.notSpaceLetterOrNumber), tail: .run(behindSymbols, least: 0)),
    ] + whitespace
  }

  /// `\s*[\r\n]+ | \s+(?!\S) | \s+`
  private static let whitespace = [
    SplitAlternative(.ending(.whitespace, .lineBreaks)), SplitAlternative(.spaceApart),
    SplitAlternative(.run(.whitespace)),
  ]
}

extension ScalarSet {
  fileprivate static let letters = ScalarSet(.letter)
  fileprivate static let numbers = ScalarSet(.number)
  fileprivate static let whitespace = ScalarSet(.whitespace)
  fileprivate static let lineBreaks = ScalarSet(.lineBreak)
  fileprivate static let blank = ScalarSet(.blank)
  /// `[^\r\n\p{L}\p{N}]`
  fileprivate static let beforeWord = ScalarSet(.scalar, except: [.lineBreak, .letter, .number])
  /// `[^\s\p{L}\p{N}]`
  fileprivate static let notSpaceLetterOrNumber = ScalarSet(.scalar, except: [.whitespace, .letter, .number])
}
