public import Tensors

/// Text to tokens and back, as the model's own tokenizer does it; made from the metadata of its GGUF file. Immutable.
///
/// Byte-level byte-pair encoding (`tokenizer.ggml.model` = `gpt2`) with the rules for cutting text that
/// `tokenizer.ggml.pre` names, and SentencePiece's (`llama`) with scores and byte tokens. What the file asks for and is not
/// built in is refused by name.
public final class Tokenizer: Sendable {
  /// What it is, in words: `BPE, qwen2, 151936 tokens`.
  public let summary: String
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
  private let model: TokenizerModel
  /// Tokens found in text whole: user-defined ones, and in the second also control tokens.
  private let userTokens: SpecialTokenTrie
  private let allTokens: SpecialTokenTrie

  /// - Throws: when the definition contradicts itself, is above a limit or asks for what is not built in.
  init(_ definition: TokenizerDefinition) throws(TokenizationError) {
    let spelling = try TokenSpelling(ofModel: definition.model)
    // What `tokenizer.ggml.pre` says of a SentencePiece vocabulary, as a rule `default`, means nothing.
    let preTokenizer = spelling == .byteLevel ? try PreTokenizer.named(definition.preTokenizer) : nil
    let texts = try VocabularyTexts(definition.tokens)
    special = try SpecialTokens(definition, texts: texts)
    let kinds = try TokenKind.all(of: definition, special, texts, spelling)
    vocabulary = Vocabulary(texts: texts, kinds: kinds, spelling: spelling)
    model = try TokenizerModel(definition, preTokenizer, texts: texts, kinds: kinds)
    (userTokens, allTokens) = try SpecialTokenTrie.tries(texts, kinds)
    summary = "\(model.name), \(texts.count) tokens"
    addsBOS = definition.addBOS ?? model.addsBOS
    addsEOS = definition.addEOS ?? false
    if addsBOS && special.bos == nil {
      throw TokenizationError(
        .badSpecialToken,
        "texts begin with a token (\(TokenizerKey.addBOS), or the model's rule) that \(TokenizerKey.bos) does not name")
    }
    if addsEOS && special.eos == nil {
      throw TokenizationError(
        .badSpecialToken, "\(TokenizerKey.addEOS) asks for a token that \(TokenizerKey.eos) does not name")
    }
  }

  /// The tokens of a text.
  ///
  /// - Parameters:
  ///   - text: any text. The rules of some models, Qwen's among them, bring it into Unicode normalization form C first;
  ///     SentencePiece puts a blank in front, at the beginning and behind special tokens.
  ///   - parseSpecial: whether control tokens written in the text become those tokens; user-defined ones always do.
  ///   - addSpecial: whether the tokens that the model begins and ends a text with are added.
  public func encode(_ text: String, parseSpecial: Bool = true, addSpecial: Bool = true) -> [TokenID] {
    var encoding = TokenEncoding(model)
    if addSpecial, addsBOS, let bos = special.bos { encoding.append(bos) }
    encoding.append(Array(text.utf8), special: parseSpecial ? allTokens : userTokens)
    if addSpecial, addsEOS, let eos = special.eos { encoding.append(eos) }
    return encoding.tokens
  }

  /// The bytes a token stands for, which may be part of a character; of a control token its name. Nil when the id is not
  /// in the vocabulary.
  public func bytes(of token: TokenID) -> [UInt8]? { vocabulary.bytes(of: token).map { Array($0) } }

  /// What a token is for; nil when the id is not in the vocabulary.
  public func kind(of token: TokenID) -> TokenKind? { vocabulary.kind(of: token) }

  /// The text of tokens. Bytes that are not UTF-8 become U+FFFD; ids outside the vocabulary and unused tokens print
  /// nothing, nor do control tokens unless `includingControl` asks for their names.
  ///
  /// - Parameter continuing: whether the tokens go on from others. Otherwise they are a whole text, and the blank that
  ///   `encode` puts in front of a text is taken away.
  public func decode(_ tokens: [TokenID], includingControl: Bool = false, continuing: Bool = false) -> String {
    var printer = TokenPrinter(self, includingControl: includingControl, continuing: continuing)
    var bytes: [UInt8] = []
    for token in tokens { bytes.append(contentsOf: printer.bytes(of: token)) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Whether `encode` puts a blank in front of a text.
  var addsSpacePrefix: Bool { model.addsSpacePrefix }
}

/// What tokens print, one after another.
struct TokenPrinter: Sendable {
  private let tokenizer: Tokenizer
  private let includingControl: Bool
  /// Whether the blank in front of the text is still to come.
  private var dropsBlank: Bool

  init(_ tokenizer: Tokenizer, includingControl: Bool, continuing: Bool) {
    self.tokenizer = tokenizer
    self.includingControl = includingControl
    dropsBlank = tokenizer.addsSpacePrefix && !continuing
  }

  /// What the next token adds to the text.
  mutating func bytes(of token: TokenID) -> ArraySlice<UInt8> {
    guard let kind = tokenizer.kind(of: token), kind.isPrinted || (includingControl && kind.isSpecial),
      let bytes = tokenizer.vocabulary.bytes(of: token), let first = bytes.first
    else { return [] }
    defer { dropsBlank = false }
    return dropsBlank && kind == .normal && first == 0x20 ? bytes.dropFirst() : bytes
  }
}
