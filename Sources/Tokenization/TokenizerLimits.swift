/// What a model file may ask of the tokenizer; anything above is refused before memory is spent on it.
enum TokenizerLimits {
  /// Tokens in a vocabulary; the largest in use hold about 262 thousand.
  static let tokenCount = 1 << 20
  /// Merges; at most one for each token that is more than a byte in every known model, twice as many are allowed.
  static let mergeCount = 1 << 21
  /// UTF-8 bytes of all token texts together; 262 thousand tokens have about 2 million.
  static let vocabularyByteCount = 1 << 24
  /// UTF-8 bytes of one token of a SentencePiece vocabulary; the longest in use are runs of blanks, of about 100 bytes.
  /// Whatever might be a token is looked up by its text, so that this bounds what a look-up costs.
  static let sentencePieceByteCount = 1024
  /// UTF-8 bytes of one special token; the longest in use have less than 100.
  static let specialTokenByteCount = 1024
  /// UTF-8 bytes of all special tokens together, which bounds the memory of `SpecialTokenTrie`, about 14 times as much
  /// for each of two; vocabularies in use have some ten thousand.
  static let specialTokensByteCount = 1 << 21
}
