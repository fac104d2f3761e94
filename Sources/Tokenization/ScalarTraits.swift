/// What the rules for cutting text ask about a Unicode scalar.
struct ScalarTraits: OptionSet, Sendable {
  let rawValue: UInt32

  /// A scalar at all; what a rule says only by exclusion asks for it.
  static let scalar = ScalarTraits(rawValue: 1 << 0)
  /// General category Lu or Lt.
  static let capital = ScalarTraits(rawValue: 1 << 1)
  /// General category Ll.
  static let small = ScalarTraits(rawValue: 1 << 2)
  /// General category Lm or Lo: letters without case, and those that modify others.
  static let caseless = ScalarTraits(rawValue: 1 << 3)
  /// General category M*.
  static let mark = ScalarTraits(rawValue: 1 << 4)
  /// General category N*.
  static let number = ScalarTraits(rawValue: 1 << 5)
  /// General category P*.
  static let punctuation = ScalarTraits(rawValue: 1 << 6)
  /// The property White_Space; line breaks included.
  static let whitespace = ScalarTraits(rawValue: 1 << 7)
  /// Carriage return and line feed only.
  static let lineBreak = ScalarTraits(rawValue: 1 << 8)
  /// U+0020 only.
  static let blank = ScalarTraits(rawValue: 1 << 9)
  /// U+002F only.
  static let slash = ScalarTraits(rawValue: 1 << 10)
  /// A letter of ASCII.
  static let asciiLetter = ScalarTraits(rawValue: 1 << 11)
  /// A symbol of ASCII: 32 scalars, from `!` to `~`.
  static let asciiSymbol = ScalarTraits(rawValue: 1 << 12)
  /// The property Script=Han.
  static let han = ScalarTraits(rawValue: 1 << 13)
  /// U+3040 to U+30FF (kana) and U+4E00 to U+9FA5 (the ideographs of Unicode 1.1).
  static let kanaOrIdeograph = ScalarTraits(rawValue: 1 << 14)
  /// May change, or join with the scalar before it, in canonical composition. A few that never do have it as well.
  static let composing = ScalarTraits(rawValue: 1 << 15)
  /// General category S*.
  static let sign = ScalarTraits(rawValue: 1 << 16)
  /// What `DeepSeekScalars` calls a letter, a symbol, an ideograph.
  static let deepSeekLetter = ScalarTraits(rawValue: 1 << 17)
  static let deepSeekSymbol = ScalarTraits(rawValue: 1 << 18)
  static let deepSeekIdeograph = ScalarTraits(rawValue: 1 << 19)

  /// General category L*.
  static let letter: ScalarTraits = [.capital, .small, .caseless]
  /// General category P* or S*.
  static let symbol: ScalarTraits = [.punctuation, .sign]

  /// The traits of a scalar.
  @inline(__always)
  static func of(_ scalar: Unicode.Scalar) -> ScalarTraits {
    scalar.value < 0x10000 ? basicPlane[Int(scalar.value)] : lookedUp(scalar)
  }

  /// Traits of the scalars below U+10000, made once: a property look-up costs about 30 ns.
  private static let basicPlane: [ScalarTraits] = (UInt32(0)..<0x10000).map { value in
    Unicode.Scalar(value).map(lookedUp) ?? []
  }

  private static func lookedUp(_ scalar: Unicode.Scalar) -> ScalarTraits {
    var traits = byCategory(scalar.properties.generalCategory)
    traits.insert(.scalar)
    if scalar.properties.isWhitespace { traits.insert(.whitespace) }
    if HanScript.contains(scalar) { traits.insert(.han) }
    if composesWithoutBeingMark(scalar) { traits.insert(.composing) }
    if DeepSeekScalars.isLetter(scalar) { traits.insert(.deepSeekLetter) }
    if DeepSeekScalars.isSymbol(scalar) { traits.insert(.deepSeekSymbol) }
    if DeepSeekScalars.isIdeograph(scalar) { traits.insert(.deepSeekIdeograph) }
    switch scalar.value {
    case 0x0A, 0x0D: traits.insert(.lineBreak)
    case 0x20: traits.insert(.blank)
    case 0x41...0x5A, 0x61...0x7A: traits.insert(.asciiLetter)
    case 0x21...0x7E where !traits.isDisjoint(with: .symbol): traits.insert(.asciiSymbol)
    case 0x3040...0x30FF, 0x4E00...0x9FA5: traits.insert(.kanaOrIdeograph)
    default: break
    }
    if scalar == "/" { traits.insert(.slash) }
    return traits
  }

  private static func byCategory(_ category: Unicode.GeneralCategory) -> ScalarTraits {
    switch category {
    case .uppercaseLetter, .titlecaseLetter: .capital
    case .lowercaseLetter: .small
    case .modifierLetter, .otherLetter: .caseless
    case .nonspacingMark, .spacingMark: [.mark, .composing]
    case .enclosingMark: .mark
    case .decimalNumber, .letterNumber, .otherNumber: .number
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      .punctuation
    case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: .sign
    default: []
    }
  }

  /// Scalars that are no marks and yet join with the one before (Hangul vowels and final consonants, vowel signs of
  /// Kirat Rai), or are replaced where they stand (such as U+212B by U+00C5).
  private static func composesWithoutBeingMark(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x1161...0x1175, 0x11A8...0x11C2, 0x16D63, 0x16D67: true
    default: scalar.properties.isFullCompositionExclusion || scalar.properties.canonicalCombiningClass != .notReordered
    }
  }
}

/// The scalars that one place of a rule takes: those with any of some traits and none of others.
struct ScalarSet: Sendable {
  private let any: ScalarTraits
  private let none: ScalarTraits

  init(_ any: ScalarTraits, except none: ScalarTraits = []) {
    self.any = any
    self.none = none
  }

  @inline(__always)
  func contains(_ traits: ScalarTraits) -> Bool { !traits.isDisjoint(with: any) && traits.isDisjoint(with: none) }
}
