public import Tensors

/// Text to tokens and back, as the model's own tokenizer does it; made from the metadata of its GGUF file. Immutable.
///
/// Byte-level byte-pair encoding (`tokenizer.ggml.model` = `gpt2`) with the rules for cutting text that
/// `tokenizer.ggml.pre` names. What the file asks for and is not built in is refused by name.
public final class Tokenizer: Sendable {
  /// Number of tokens; ids are below it.
  public var vocabularyCount: Int { vocabulary.count }
  /// The token a sequence begins with, if the model has one.
  public var bosToken: TokenID? { special.bos }
  /// The token that ends a text, if the model has one.
  public var eosToken: TokenID? { special.eos }
  /// The token that ends a turn of a conversation, if the model has one.
  public var eotToken: TokenID? { special.endOfTurn }
  /// The token that fills batches in training, if the model has one.
  public var paddingToken: TokenID? { special.padding }
  /// Tokens after which a completion ends: end of text, end of turn, and what is known by name to end one.
  public var endOfGeneration: Set<TokenID> { special.endOfGeneration }
  /// Whether `encode` begins with `bosToken`.
  public let addsBOS: Bool
  /// Whether `encode` ends with `eosToken`.
  public let addsEOS: Bool

  let vocabulary: Vocabulary
  private let special: SpecialTokens
  private let preTokenizer: PreTokenizer
  private let pairs: BytePairEncoder
  /// Tokens found in text whole: user-defined ones, and in the second also control tokens.
  private let userTokens: SpecialTokenTrie
  private let allTokens: SpecialTokenTrie

  /// - Throws: when the definition contradicts itself, is above a limit or asks for what is not built in.
  init(_ definition: TokenizerDefinition) throws(TokenizationError) {
    guard definition.model == "gpt2" else {
      throw TokenizationError(
        .unsupported, "\(TokenizerKey.model) is \(quoted(definition.model)); supported: gpt2 (byte-level BPE)")
    }
    preTokenizer = try PreTokenizer.named(definition.preTokenizer)
    let texts = try VocabularyTexts(definition.tokens)
    special = try SpecialTokens(definition, texts: texts)
    let kinds = try Self.kinds(of: definition, special)
    vocabulary = Vocabulary(texts: texts, kinds: kinds)
    pairs = try BytePairEncoder(texts: texts, merges: definition.merges)
    (userTokens, allTokens) = try Self.tries(texts, kinds)
    addsBOS = definition.addBOS ?? preTokenizer.addsBOS
    addsEOS = definition.addEOS ?? false
    if addsBOS && special.bos == nil {
      throw TokenizationError(
        .badSpecialToken, "\(TokenizerKey.addBOS) asks for a token that \(TokenizerKey.bos) does not name")
    }
    if addsEOS && special.eos == nil {
      throw TokenizationError(
        .badSpecialToken, "\(TokenizerKey.addEOS) asks for a token that \(TokenizerKey.eos) does not name")
    }
  }

  /// The tokens of a text.
  ///
  /// - Parameters:
  ///   - text: any text. The rules of some models, Qwen's among them, bring it into Unicode normalization form C first.
  ///   - parseSpecial: whether control tokens written in the text become those tokens; user-defined ones always do.
  ///   - addSpecial: whether the tokens that the model begins and ends a text with are added.
  public func encode(_ text: String, parseSpecial: Bool = true, addSpecial: Bool = true) -> [TokenID] {
    var tokens: [TokenID] = []
    if addSpecial, addsBOS, let bos = special.bos { tokens.append(bos) }
    var encoding = Encoding(tokenizer: self, tokens: tokens)
    encoding.append(Array(text.utf8), special: parseSpecial ? allTokens : userTokens)
    if addSpecial, addsEOS, let eos = special.eos { encoding.tokens.append(eos) }
    return encoding.tokens
  }

  /// The bytes a token stands for, which may be part of a character; of a control token its name. Nil when the id is not
  /// in the vocabulary.
  public func bytes(of token: TokenID) -> [UInt8]? { vocabulary.bytes(of: token).map { Array($0) } }

  /// What a token is for; nil when the id is not in the vocabulary.
  public func kind(of token: TokenID) -> TokenKind? { vocabulary.kind(of: token) }

  /// The text of tokens. Bytes that are not UTF-8 become U+FFFD; ids outside the vocabulary and unused tokens print
  /// nothing, nor do control tokens unless `includingControl` asks for their names.
  public func decode(_ tokens: [TokenID], includingControl: Bool = false) -> String {
    var bytes: [UInt8] = []
    for token in tokens { bytes.append(contentsOf: printedBytes(of: token, includingControl: includingControl)) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What a token adds to a completion.
  func printedBytes(of token: TokenID, includingControl: Bool) -> ArraySlice<UInt8> {
    guard let kind = vocabulary.kind(of: token), kind.isPrinted || (includingControl && kind.isSpecial),
      let bytes = vocabulary.bytes(of: token)
    else { return [] }
    return bytes
  }

  /// A text on its way to tokens.
  private struct Encoding {
    let tokenizer: Tokenizer
    var tokens: [TokenID]
    private var text = ScalarText()
    private var piece: [UInt8] = []
    private var scratch = BytePairEncoder.Scratch()

    init(tokenizer: Tokenizer, tokens: [TokenID]) {
      self.tokenizer = tokenizer
      self.tokens = tokens
    }

    /// Takes out the special tokens and encodes what stands between them.
    mutating func append(_ bytes: [UInt8], special: SpecialTokenTrie) {
      var start = 0
      var position = 0
      while position < bytes.count {
        guard special.canBegin(with: bytes[position]), let match = special.longestMatch(in: bytes, at: position) else {
          position += 1
          continue
        }
        appendText(bytes[start..<position])
        tokens.append(match.token)
        position += match.byteCount
        start = position
      }
      appendText(bytes[start...])
    }

    private mutating func appendText(_ bytes: ArraySlice<UInt8>) {
      guard !bytes.isEmpty else { return }
      text.load(String(decoding: bytes, as: UTF8.self), composed: tokenizer.preTokenizer.composes)
      var start = 0
      while start < text.count {
        let end = tokenizer.preTokenizer.splitter.pieceEnd(in: text, from: start)
        piece.removeAll(keepingCapacity: true)
        text.appendUTF8(of: start..<end, to: &piece)
        tokenizer.pairs.encode(piece, scratch: &scratch, into: &tokens)
        start = end
      }
    }
  }
}

extension Tokenizer {
  /// The kinds of all tokens: those of the file, corrected for tokens whose name tells more.
  private static func kinds(
    of definition: TokenizerDefinition, _ special: SpecialTokens
  ) throws(TokenizationError) -> [TokenKind] {
    let count = definition.tokens.count
    var kinds = [TokenKind](repeating: .normal, count: count)
    if let stated = definition.kinds {
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
    }
    for token in special.controls { kinds[Int(token.rawValue)] = .control }
    for token in special.texts { kinds[Int(token.rawValue)] = .userDefined }
    return kinds
  }

  private static func tries(
    _ texts: VocabularyTexts, _ kinds: [TokenKind]
  ) throws(TokenizationError) -> (user: SpecialTokenTrie, all: SpecialTokenTrie) {
    var user = SpecialTokenTrie()
    var all = SpecialTokenTrie()
    for (index, kind) in kinds.enumerated() where kind == .userDefined || kind.isSpecial {
      let text = texts[index]
      guard text.count <= TokenizerLimits.specialTokenByteCount else {
        throw TokenizationError(
          .limitExceeded,
          "\(TokenizerKey.tokens)[\(index)] is a special token of \(text.count) bytes; "
            + "at most \(TokenizerLimits.specialTokenByteCount) are looked for in text")
      }
      all.insert(text, token: UInt32(index))
      if kind == .userDefined { user.insert(text, token: UInt32(index)) }
    }
    return (user, all)
  }
}
