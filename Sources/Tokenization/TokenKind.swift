import Tensors

/// What a token is for: the values of the metadata key `tokenizer.ggml.token_type`.
public enum TokenKind: UInt8, Sendable, Hashable {
  /// No type was given.
  case undefined = 0
  /// A piece of text; in byte-level vocabularies written in the byte alphabet.
  case normal = 1
  /// Stands for what the vocabulary cannot express.
  case unknown = 2
  /// Structure that is not text: end of text, start of a message.
  case control = 3
  /// Added by the model's makers and found in text whole, such as `<think>`; it is text and is printed.
  case userDefined = 4
  /// Fills the vocabulary up to a round size.
  case unused = 5
  /// A single byte.
  case byte = 6

  /// Whether the token stands for text that a reader of a completion sees.
  var isPrinted: Bool {
    switch self {
    case .normal, .userDefined, .byte: true
    case .undefined, .unknown, .control, .unused: false
    }
  }

  /// Whether the token's text is written as the vocabulary writes text (in the byte alphabet, or with escaped blanks), and
  /// not as it is.
  var isSpelled: Bool {
    switch self {
    case .undefined, .normal, .byte: true
    case .unknown, .control, .userDefined, .unused: false
    }
  }

  /// Whether SentencePiece makes text of the token.
  var isSentencePiece: Bool {
    switch self {
    case .undefined, .normal, .userDefined: true
    case .unknown, .control, .unused, .byte: false
    }
  }

  /// Whether the token is only found in text when special tokens are looked for.
  var isSpecial: Bool { self == .control || self == .unknown }
}

extension TokenKind {
  /// The kinds of all tokens: those of the file, corrected for tokens whose name tells more.
  /// - Throws: when kinds are too few, too many or unknown, or a byte is none.
  static func all(
    of definition: TokenizerDefinition, _ special: SpecialTokens, _ texts: VocabularyTexts, _ spelling: TokenSpelling
  ) throws(TokenizationError) -> [TokenKind] {
    var kinds = try stated(in: definition)
    if spelling == .sentencePiece { try markBytes(&kinds, texts) }
    for token in special.controls { kinds[Int(token.rawValue)] = .control }
    for token in special.texts { kinds[Int(token.rawValue)] = .userDefined }
    return kinds
  }

  private static func stated(in definition: TokenizerDefinition) throws(TokenizationError) -> [TokenKind] {
    let count = definition.tokens.count
    var kinds = [TokenKind](repeating: .normal, count: count)
    guard let stated = definition.kinds else { return kinds }
    guard stated.count == count else {
      throw TokenizationError(
        .badVocabulary,
        "\(TokenizerKey.kinds) holds \(stated.count) values for the \(count) tokens of \(TokenizerKey.tokens)")
    }
    for (index, value) in stated.enumerated() {
      guard let kind = UInt8(exactly: value).flatMap({ TokenKind(rawValue: $0) }) else {
        throw TokenizationError(
          .badVocabulary, "\(TokenizerKey.kinds)[\(index)] is \(value); a token type is 0 to 6")
      }
      kinds[index] = kind
    }
    return kinds
  }

  /// Makes bytes of the tokens of SentencePiece that are called so.
  private static func markBytes(_ kinds: inout [TokenKind], _ texts: VocabularyTexts) throws(TokenizationError) {
    for (index, kind) in kinds.enumerated() {
      switch (kind, SentencePieceText.byte(of: texts[index])) {
      case (.normal, .some), (.undefined, .some):
        kinds[index] = .byte
      case (.byte, nil):
        let text = quoted(String(decoding: texts[index], as: UTF8.self))
        throw TokenizationError(
          .badVocabulary,
          "\(TokenizerKey.kinds)[\(index)] says that \(text) is a byte; those are <0x00> to <0xFF>")
      default: break
      }
    }
  }
}
