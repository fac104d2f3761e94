public import GGUF

extension Tokenizer {
  /// - Parameter metadata: of the model's file; the keys `tokenizer.ggml.*` are read.
  /// - Throws: when a key is missing, of another type, above a limit or in contradiction to another, and when the file
  ///   asks for a tokenizer that is not built in.
  public convenience init(metadata: GGUFMetadata) throws(TokenizationError) {
    try self.init(TokenizerDefinition(metadata))
  }
}

extension TokenizerDefinition {
  init(_ metadata: GGUFMetadata) throws(TokenizationError) {
    do throws(GGUFError) {
      model = try metadata.string(TokenizerKey.model)
      preTokenizer = try metadata.stringIfPresent(TokenizerKey.preTokenizer)
      tokens = try metadata.strings(TokenizerKey.tokens)
      kinds = try metadata.integersIfPresent(TokenizerKey.kinds)
      // Without merges every byte would be a token of its own, which no model was trained on.
      merges = model == TokenSpelling.byteLevel.rawValue ? try metadata.strings(TokenizerKey.merges) : []
      scores = try metadata.floatsIfPresent(TokenizerKey.scores)
      let ids = 0...Int(UInt32.max)
      bos = try metadata.integerIfPresent(TokenizerKey.bos, in: ids)
      eos = try metadata.integerIfPresent(TokenizerKey.eos, in: ids)
      endOfTurn = try metadata.integerIfPresent(TokenizerKey.endOfTurn, in: ids)
      endOfMessage = try metadata.integerIfPresent(TokenizerKey.endOfMessage, in: ids)
      padding = try metadata.integerIfPresent(TokenizerKey.padding, in: ids)
      addBOS = try metadata.boolIfPresent(TokenizerKey.addBOS)
      addEOS = try metadata.boolIfPresent(TokenizerKey.addEOS)
      addSpacePrefix = try metadata.boolIfPresent(TokenizerKey.addSpacePrefix)
      removeExtraWhitespaces = try metadata.boolIfPresent(TokenizerKey.removeExtraWhitespaces)
    } catch {
      throw TokenizationError(.badMetadata, error.description)
    }
  }
}
