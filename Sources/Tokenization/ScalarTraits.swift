/// What the rules for cutting text ask about a Unicode scalar.
struct ScalarTraits: OptionSet, Sendable {
  let rawValue: UInt8

  /// General category L*.
  static let letter = ScalarTraits(rawValue: 1)
  /// General category N*.
  static let number = ScalarTraits(rawValue: 2)
  /// The property White_Space; line breaks included.
  static let whitespace = ScalarTraits(rawValue: 4)
  /// Carriage return and line feed only.
  static let lineBreak = ScalarTraits(rawValue: 8)
  /// May change, or join with the scalar before it, in canonical composition. A few that never do have it as well.
  static let composing = ScalarTraits(rawValue: 16)
  /// Not a scalar: the end of the text.
  static let end = ScalarTraits(rawValue: 32)

  /// Neither letter, number nor white space: punctuation, symbols, marks, controls, unassigned.
  var isOther: Bool { isDisjoint(with: [.letter, .number, .whitespace, .end]) }

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
    var traits: ScalarTraits = []
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: traits = .letter
    case .decimalNumber, .letterNumber, .otherNumber: traits = .number
    case .nonspacingMark, .spacingMark: traits = .composing
    default: break
    }
    if scalar.properties.isWhitespace { traits.insert(.whitespace) }
    if scalar == "\r" || scalar == "\n" { traits.insert(.lineBreak) }
    if composesWithoutBeingMark(scalar) { traits.insert(.composing) }
    return traits
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
