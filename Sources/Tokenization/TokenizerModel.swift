import Tensors

/// The way from text to tokens that `tokenizer.ggml.model` names, and how its vocabulary is written.
enum TokenizerModel: Sendable {
  /// Text is cut into pieces, whose bytes are then joined by a list of merges.
  case byteLevel(PreTokenizer, BytePairEncoder)
  /// The characters of a whole text are joined by the scores of the tokens that come of it.
  case sentencePiece(SentencePieceEncoder, addsSpacePrefix: Bool)

  /// Whether a text begins with the beginning-of-sequence token when `tokenizer.ggml.add_bos_token` is not given.
  var addsBOS: Bool {
    switch self {
    case .byteLevel(let preTokenizer, _): preTokenizer.addsBOS
    case .sentencePiece: true
    }
  }

  /// Whether a blank is put in front of every text.
  var addsSpacePrefix: Bool {
    switch self {
    case .byteLevel: false
    case .sentencePiece(_, let addsSpacePrefix): addsSpacePrefix
    }
  }

  /// What it is, in words.
  var name: String {
    switch self {
    case .byteLevel(let preTokenizer, _): "BPE, \(preTokenizer.names[0])"
    case .sentencePiece: "SentencePiece BPE"
    }
  }

  /// - Parameters:
  ///   - preTokenizer: how text is cut; nil for SentencePiece, which does not cut it.
  ///   - kinds: one for each text.
  /// - Throws: when the definition asks for what is not built in, or contradicts itself.
  init(
    _ definition: TokenizerDefinition, _ preTokenizer: PreTokenizer?, texts: VocabularyTexts, kinds: [TokenKind]
  ) throws(TokenizationError) {
    guard let preTokenizer else {
      guard definition.removeExtraWhitespaces != true else {
        throw TokenizationError(
          .unsupported, "\(TokenizerKey.removeExtraWhitespaces) is true; supported: false, with which all blanks count")
      }
      self = .sentencePiece(
        try SentencePieceEncoder(texts: texts, kinds: kinds, scores: definition.scores),
        addsSpacePrefix: definition.addSpacePrefix ?? true)
      return
    }
    self = .byteLevel(
      preTokenizer,
      try BytePairEncoder(
        texts: texts, kinds: kinds, merges: definition.merges, takesWholePieces: preTokenizer.takesWholePieces))
  }
}

/// A text on its way to tokens.
struct TokenEncoding {
  private(set) var tokens: [TokenID] = []
  private let model: TokenizerModel
  private var text = ScalarText()
  private var piece: [UInt8] = []
  private var chain = MergeChain()

  init(_ model: TokenizerModel) { self.model = model }

  /// Appends a token that is not text.
  mutating func append(_ token: TokenID) { tokens.append(token) }

  /// Takes the special tokens out of a text and encodes what stands between them.
  mutating func append(_ bytes: [UInt8], special: SpecialTokenTrie) {
    var start = 0
    for match in special.matches(in: bytes) {
      appendText(bytes[start..<match.range.lowerBound])
      tokens.append(match.token)
      start = match.range.upperBound
    }
    appendText(bytes[start...])
  }

  private mutating func appendText(_ bytes: ArraySlice<UInt8>) {
    guard !bytes.isEmpty else { return }
    switch model {
    case .byteLevel(let preTokenizer, let encoder):
      text.load(String(decoding: bytes, as: UTF8.self), composed: preTokenizer.composes)
      var scanner = PieceScanner(preTokenizer.rules)
      var start = 0
      while start < text.count {
        let end = scanner.pieceEnd(in: text, from: start)
        piece.removeAll(keepingCapacity: true)
        text.appendUTF8(of: start..<end, to: &piece)
        encoder.encode(piece, chain: &chain, into: &tokens)
        start = end
      }
    case .sentencePiece(let encoder, let addsSpacePrefix):
      piece.removeAll(keepingCapacity: true)
      if addsSpacePrefix { piece.append(contentsOf: SentencePieceText.blank) }
      for byte in bytes {
        guard byte == 0x20 else {
          piece.append(byte)
          continue
        }
        if encoder.canCutWords, !SentencePieceText.endsInBlank(piece) {
          encoder.encode(piece, chain: &chain, into: &tokens)
          piece.removeAll(keepingCapacity: true)
        }
        piece.append(contentsOf: SentencePieceText.blank)
      }
      encoder.encode(piece, chain: &chain, into: &tokens)
    }
  }
}
