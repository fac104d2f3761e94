import Tensors

/// The tokens with a role, from the ids that the metadata state and, where these are silent, from well-known names.
struct SpecialTokens: Sendable {
  let bos: TokenID?
  let eos: TokenID?
  let endOfTurn: TokenID?
  let padding: TokenID?
  /// Tokens after which a completion ends.
  let endOfGeneration: Set<TokenID>
  /// Tokens that are control tokens by their name, whatever type the file gives them.
  let controls: Set<TokenID>
  /// Tokens that are text by their name, although the file calls them control tokens.
  let texts: Set<TokenID>

  /// Names of the token that ends a turn, the most specific first (as inferred by llama.cpp's llama-vocab.cpp).
  private static let endOfTurnNames = [
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>", "_<EOT>",
    "[EOT]",
    "<｜end▁of▁sentence｜>", "<end_of_utterance>",
  ]
  private static let endOfMessageNames = ["<|eom_id|>"]
  /// Names of further tokens that end a completion: padding, repository and file marks of code models among them.
  private static let endOfGenerationNames = [
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<end_of_turn>", "<|endoftext|>", "<|eom_id|>",
    "<EOT>",
    "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<|fim_pad|>", "<fim-pad>", "<fim_pad>",
    "<PAD>",
    "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>", "<|file_sep|>",
  ]

  /// - Throws: when a stated id is outside the vocabulary.
  init(_ definition: TokenizerDefinition, texts: VocabularyTexts) throws(TokenizationError) {
    let count = texts.count
    func checked(_ id: Int?, _ key: String) throws(TokenizationError) -> TokenID? {
      guard let id else { return nil }
      guard id >= 0, id < count else {
        throw TokenizationError(
          .badSpecialToken, "\(key) is \(id); the vocabulary holds the tokens 0 to \(count - 1)")
      }
      return TokenID(UInt32(id))
    }
    func named(_ names: [String]) -> [TokenID] { names.compactMap { texts.id(of: $0).map { TokenID($0) } } }

    bos = try checked(definition.bos, TokenizerKey.bos)
    eos = try checked(definition.eos, TokenizerKey.eos)
    padding = try checked(definition.padding, TokenizerKey.padding)
    endOfTurn = try checked(definition.endOfTurn, TokenizerKey.endOfTurn) ?? named(Self.endOfTurnNames).first
    let endOfMessage =
      try checked(definition.endOfMessage, TokenizerKey.endOfMessage) ?? named(Self.endOfMessageNames).first
    var controls = Set(named(Self.endOfGenerationNames))
    if let endOfTurn { controls.insert(endOfTurn) }
    if let endOfMessage { controls.insert(endOfMessage) }
    var ends = controls
    if let eos { ends.insert(eos) }
    // In the harmony format <|end|> closes one of several messages, and only <|return|> and <|call|> the completion.
    var text: Set<TokenID> = []
    if let end = texts.id(of: "<|end|>"), texts.id(of: "<|return|>") != nil, texts.id(of: "<|call|>") != nil {
      ends.remove(TokenID(end))
      controls.remove(TokenID(end))
      text = Set(named(["<|end|>", "<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"]))
    }
    self.controls = controls
    self.texts = text
    endOfGeneration = ends
  }
}
