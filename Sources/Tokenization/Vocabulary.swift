import Tensors

/// The tokens of a model: what each prints, and of what kind it is.
struct Vocabulary: Sendable {
  /// Kinds by token id.
  private(set) var kinds: [TokenKind]
  /// What the tokens print, one after another.
  private let printed: [UInt8]
  /// Where each token begins in `printed`, and the end of the last.
  private let starts: [UInt32]

  var count: Int { kinds.count }

  /// The bytes a token stands for; nil when the id is not in the vocabulary.
  func bytes(of token: TokenID) -> ArraySlice<UInt8>? {
    let index = Int(token.rawValue)
    guard index < count else { return nil }
    return printed[Int(starts[index])..<Int(starts[index + 1])]
  }

  /// The kind of a token; nil when the id is not in the vocabulary.
  func kind(of token: TokenID) -> TokenKind? {
    let index = Int(token.rawValue)
    return index < count ? kinds[index] : nil
  }

  /// - Parameters:
  ///   - texts: texts as in the file, checked.
  ///   - kinds: one for each text.
  ///   - spelling: how the texts write what they stand for.
  init(texts: VocabularyTexts, kinds: [TokenKind], spelling: TokenSpelling) {
    var printed: [UInt8] = []
    printed.reserveCapacity(texts.byteCount)
    var starts: [UInt32] = [0]
    starts.reserveCapacity(texts.count + 1)
    for (index, kind) in kinds.enumerated() {
      spelling.appendPrinted(texts[index], kind, to: &printed)
      starts.append(UInt32(printed.count))
    }
    self.kinds = kinds
    self.printed = printed
    self.starts = starts
  }
}

/// How the texts of a vocabulary write what the tokens stand for; by the values of `tokenizer.ggml.model`.
enum TokenSpelling: String, Sendable {
  /// Every byte as a character of the byte alphabet.
  case byteLevel = "gpt2"
  /// As it is, but for blanks and single bytes.
  case sentencePiece = "llama"

  /// - Throws: when a model's vocabulary is written in another way.
  init(ofModel model: String) throws(TokenizationError) {
    guard let spelling = Self(rawValue: model) else {
      throw TokenizationError(
        .unsupported,
        "\(TokenizerKey.model) is \(quoted(model)); supported: gpt2 (byte-level BPE), llama (SentencePiece BPE)")
    }
    self = spelling
  }

  /// Appends what a token prints.
  func appendPrinted(_ text: ArraySlice<UInt8>, _ kind: TokenKind, to bytes: inout [UInt8]) {
    switch self {
    case .byteLevel:
      bytes.append(contentsOf: (kind.isSpelled ? ByteAlphabet.bytes(of: text) : nil) ?? Array(text))
    case .sentencePiece:
      if kind == .byte, let byte = SentencePieceText.byte(of: text) {
        bytes.append(byte)
      } else if kind.isSpelled {
        SentencePieceText.appendUnescaped(text, to: &bytes)
      } else {
        bytes.append(contentsOf: text)
      }
    }
  }
}

/// The texts of all tokens as in the file, and the way back from a text to its id. Needed only while a tokenizer is made.
struct VocabularyTexts {
  private var blob: [UInt8] = []
  private var ends: [Int] = []
  private var ids: [ByteKey: UInt32] = [:]

  var count: Int { ends.count }
  var byteCount: Int { blob.count }

  subscript(index: Int) -> ArraySlice<UInt8> { blob[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }

  func id(of text: ArraySlice<UInt8>) -> UInt32? { ids[ByteKey(text)] }
  func id(of text: [UInt8]) -> UInt32? { ids[ByteKey(text)] }
  func id(of text: String) -> UInt32? { id(of: Array(text.utf8)) }

  /// The ids by text of those tokens for which `included` is true; without the empty text.
  func ids(where included: (Int) -> Bool) -> [ByteKey: UInt32] { ids.filter { included(Int($0.value)) } }

  init(_ tokens: [String]) throws(TokenizationError) {
    guard !tokens.isEmpty else {
      throw TokenizationError(.badVocabulary, "\(TokenizerKey.tokens) is empty; a vocabulary needs tokens")
    }
    guard tokens.count <= TokenizerLimits.tokenCount else {
      throw TokenizationError(
        .limitExceeded,
        "\(TokenizerKey.tokens) holds \(tokens.count) tokens; at most \(TokenizerLimits.tokenCount) are read")
    }
    ends.reserveCapacity(tokens.count)
    for token in tokens {
      blob.append(contentsOf: token.utf8)
      ends.append(blob.count)
      guard blob.count <= TokenizerLimits.vocabularyByteCount else {
        throw TokenizationError(
          .limitExceeded,
          "\(TokenizerKey.tokens) holds more than \(TokenizerLimits.vocabularyByteCount) bytes of text, more than are read"
        )
      }
    }
    ids.reserveCapacity(tokens.count)
    for index in tokens.indices where !self[index].isEmpty {
      if let first = ids.updateValue(UInt32(index), forKey: ByteKey(self[index])) {
        throw TokenizationError(
          .badVocabulary,
          "\(TokenizerKey.tokens) holds \(quoted(tokens[index])) twice, as \(first) and \(index); convert the model again"
        )
      }
    }
  }
}
