import Tensors

/// Byte-level byte-pair encoding of one piece of text: begins with a token for each byte and joins by a list of merges.
struct BytePairEncoder: Sendable {
  /// The tokens of the 256 bytes; 0 for the few that UTF-8 never uses when the vocabulary lacks them.
  private let byteTokens: [UInt32]
  private let merges: MergeTable
  /// Tokens that a piece can be whole, by their bytes; nil when only merges make tokens.
  private let wholePieces: [ByteKey: UInt32]?

  /// - Parameters:
  ///   - kinds: one for each text.
  ///   - takesWholePieces: whether a piece that is a token as it stands becomes that token, whatever merges say.
  /// - Throws: when a byte that occurs in UTF-8 has no token: some text could not be expressed.
  init(
    texts: VocabularyTexts, kinds: [TokenKind], merges: [String], takesWholePieces: Bool
  ) throws(TokenizationError) {
    var byteTokens = [UInt32](repeating: 0, count: 256)
    for byte in UInt8.min...UInt8.max {
      if let token = texts.id(of: ByteAlphabet.utf8(of: byte)) {
        byteTokens[Int(byte)] = token
      } else if ByteAlphabet.isUsedByUTF8(byte) {
        throw TokenizationError(
          .badVocabulary,
          "\(TokenizerKey.tokens) lacks a token for the byte \(byte); a byte-level vocabulary must hold every byte of UTF-8"
        )
      }
    }
    self.byteTokens = byteTokens
    self.merges = try MergeTable(merges, texts: texts)
    wholePieces = takesWholePieces ? Self.wholePieces(texts, kinds) : nil
  }

  private static func wholePieces(_ texts: VocabularyTexts, _ kinds: [TokenKind]) -> [ByteKey: UInt32] {
    var tokens: [ByteKey: UInt32] = [:]
    for (index, kind) in kinds.enumerated() where kind.isSpelled {
      if let bytes = ByteAlphabet.bytes(of: texts[index]) { tokens[ByteKey(bytes)] = UInt32(index) }
    }
    return tokens
  }

  /// Appends the tokens of a piece, which must be bytes of UTF-8.
  func encode(_ piece: [UInt8], chain: inout MergeChain, into tokens: inout [TokenID]) {
    guard piece.count > 1 else {
      if let byte = piece.first { tokens.append(TokenID(byteTokens[Int(byte)])) }
      return
    }
    if let wholePieces, let token = wholePieces[ByteKey(piece)] {
      tokens.append(TokenID(token))
      return
    }
    chain.restart()
    for byte in piece { chain.append(byteTokens[Int(byte)], byteCount: 1) }
    chain.join(by: merges, in: piece)
    chain.forEach { token, _ in tokens.append(TokenID(token)) }
  }
}
