import Tensors

/// Byte-pair encoding as SentencePiece does it: begins with the characters of a text and joins the pair that makes the
/// token of the highest score. What no token stands for is written as bytes.
struct SentencePieceEncoder: Sendable, MergeRule {
  /// Ids by text of the tokens that text is made of: not those for control, nor the bytes.
  private let ids: [ByteKey: UInt32]
  /// The longest text among them, in bytes.
  private let longest: Int
  /// Whether text may be cut in front of every blank that follows something else: no token reaches across, so that each
  /// word can be encoded for itself with a short queue.
  let canCutWords: Bool
  /// Places of the tokens in the order of their scores, the highest first; equal scores have equal places.
  private let ranks: [UInt32]
  /// The tokens of the 256 bytes; 0 for the few that UTF-8 never uses when the vocabulary lacks them.
  private let byteTokens: [UInt32]

  /// The symbol of a character that is no token.
  private static let noToken = UInt32.max

  /// - Parameters:
  ///   - kinds: one for each text; the tokens `<0x00>` to `<0xFF>` are those of kind `byte`.
  ///   - scores: one for each text, as stated.
  /// - Throws: when scores are missing, too few, too many or not numbers, when a byte that occurs in UTF-8 has no token,
  ///   or when a token is too long.
  init(texts: VocabularyTexts, kinds: [TokenKind], scores: [Float]?) throws(TokenizationError) {
    ranks = try Self.ranks(scores, count: texts.count)
    byteTokens = try Self.byteTokens(texts, kinds)
    ids = texts.ids { kinds[$0].isSentencePiece }
    var longest = 0
    for (index, kind) in kinds.enumerated() where kind.isSentencePiece {
      let byteCount = texts[index].count
      longest = max(longest, byteCount)
      guard byteCount <= TokenizerLimits.sentencePieceByteCount else {
        throw TokenizationError(
          .limitExceeded,
          "\(TokenizerKey.tokens)[\(index)] has \(byteCount) bytes; "
            + "at most \(TokenizerLimits.sentencePieceByteCount) are compared with text")
      }
    }
    self.longest = longest
    canCutWords = !ids.keys.contains { SentencePieceText.hasBlankBehindText($0.bytes) }
  }

  /// Appends the tokens of a text or, if words can be cut, a word, which must be UTF-8 with its blanks escaped.
  func encode(_ text: [UInt8], chain: inout MergeChain, into tokens: inout [TokenID]) {
    chain.restart()
    var start = 0
    while start < text.count {
      let end = start + Self.byteCount(ofCharacterBeginningWith: text[start])
      chain.append(ids[ByteKey(text[start..<end])] ?? Self.noToken, byteCount: end - start)
      start = end
    }
    chain.join(by: self, in: text)
    chain.forEach { token, range in
      if token != Self.noToken {
        tokens.append(TokenID(token))
      } else {
        for byte in text[range] { tokens.append(TokenID(byteTokens[Int(byte)])) }
      }
    }
  }

  func merge(of left: UInt32, _ right: UInt32, standingFor range: Range<Int>, in piece: [UInt8]) -> Merge? {
    guard range.count <= longest, let token = ids[ByteKey(piece[range])] else { return nil }
    return Merge(rank: ranks[Int(token)], token: token)
  }

  private static func byteCount(ofCharacterBeginningWith byte: UInt8) -> Int {
    switch byte {
    case ..<0x80: 1
    case ..<0xE0: 2
    case ..<0xF0: 3
    default: 4
    }
  }

  private static func ranks(_ scores: [Float]?, count: Int) throws(TokenizationError) -> [UInt32] {
    guard let scores else {
      throw TokenizationError(
        .badMetadata, "\(TokenizerKey.scores) is missing; a SentencePiece vocabulary needs a score for each token")
    }
    guard scores.count == count else {
      throw TokenizationError(
        .badVocabulary,
        "\(TokenizerKey.scores) holds \(scores.count) values for the \(count) tokens of \(TokenizerKey.tokens)")
    }
    if let index = scores.firstIndex(where: \.isNaN) {
      throw TokenizationError(.badVocabulary, "\(TokenizerKey.scores)[\(index)] is not a number")
    }
    var ranks = [UInt32](repeating: 0, count: count)
    var rank: UInt32 = 0
    var last: Float?
    for index in scores.indices.sorted(by: { scores[$0] > scores[$1] }) {
      if let last, scores[index] < last { rank += 1 }
      last = scores[index]
      ranks[index] = rank
    }
    return ranks
  }

  private static func byteTokens(_ texts: VocabularyTexts, _ kinds: [TokenKind]) throws(TokenizationError) -> [UInt32] {
    var tokens = [UInt32](repeating: 0, count: 256)
    for byte in UInt8.min...UInt8.max {
      let text = SentencePieceText.name(of: byte)
      if let token = texts.id(of: text), kinds[Int(token)] == .byte {
        tokens[Int(byte)] = token
      } else if ByteAlphabet.isUsedByUTF8(byte) {
        throw TokenizationError(
          .badVocabulary,
          "\(TokenizerKey.tokens) lacks the byte token \(text), with which text is written that no other token stands for"
        )
      }
    }
    return tokens
  }
}

/// How SentencePiece writes what it would otherwise mistake: blanks and single bytes.
enum SentencePieceText {
  /// UTF-8 of U+2581, which stands for a blank in tokens.
  static let blank: [UInt8] = [0xE2, 0x96, 0x81]

  /// Whether a text is empty or ends in a blank.
  static func endsInBlank(_ text: [UInt8]) -> Bool { text.isEmpty || text.suffix(blank.count).elementsEqual(blank) }

  /// Whether there is a blank somewhere behind something else.
  static func hasBlankBehindText(_ text: ArraySlice<UInt8>) -> Bool {
    var rest = text
    while rest.starts(with: blank) { rest = rest.dropFirst(blank.count) }
    return rest.indices.contains { rest[$0...].starts(with: blank) }
  }

  /// Appends what a token prints: its text with blanks for U+2581.
  static func appendUnescaped(_ text: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
    var index = text.startIndex
    while index < text.endIndex {
      if text[index...].starts(with: blank) {
        bytes.append(0x20)
        index += blank.count
      } else {
        bytes.append(text[index])
        index += 1
      }
    }
  }

  /// The text of the token of a byte, such as `<0x0A>`.
  static func name(of byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return "<0x" + (digits.utf8.count < 2 ? "0" : "") + digits + ">"
  }

  /// The byte that a token's text names; nil when it names none.
  static func byte(of text: ArraySlice<UInt8>) -> UInt8? {
    guard text.count == 6, text.starts(with: "<0x".utf8) else { return nil }
    let digits = String(decoding: text.dropFirst(3).prefix(2), as: UTF8.self)
    guard let byte = UInt8(digits, radix: 16), text.elementsEqual(name(of: byte).utf8) else { return nil }
    return byte
  }
}
