/// The tokenizer of a model as its metadata describe it, not yet checked.
struct TokenizerDefinition: Sendable {
  /// `tokenizer.ggml.model`: `gpt2` for byte-level BPE, `llama` for SentencePiece.
  var model: String
  /// `tokenizer.ggml.pre`: how text is cut before merges apply.
  var preTokenizer: String?
  /// Texts of the tokens; the index is the token's id.
  var tokens: [String]
  /// `tokenizer.ggml.token_type`, one for each token; nil when all are normal.
  var kinds: [Int]?
  /// `tokenizer.ggml.merges`: pairs of token texts separated by a space, the most important first.
  var merges: [String] = []
  /// `tokenizer.ggml.scores` of SentencePiece, one for each token: the highest is joined first.
  var scores: [Float]?
  var bos: Int?
  var eos: Int?
  var endOfTurn: Int?
  var endOfMessage: Int?
  var padding: Int?
  var addBOS: Bool?
  var addEOS: Bool?
  /// `tokenizer.ggml.add_space_prefix` of SentencePiece: whether a blank is put in front of a text.
  var addSpacePrefix: Bool?
  /// `tokenizer.ggml.remove_extra_whitespaces` of SentencePiece.
  var removeExtraWhitespaces: Bool?
}

/// The metadata keys that are read, so that errors and code name them alike.
enum TokenizerKey {
  static let model = "tokenizer.ggml.model"
  static let preTokenizer = "tokenizer.ggml.pre"
  static let tokens = "tokenizer.ggml.tokens"
  static let kinds = "tokenizer.ggml.token_type"
  static let merges = "tokenizer.ggml.merges"
  static let scores = "tokenizer.ggml.scores"
  static let bos = "tokenizer.ggml.bos_token_id"
  static let eos = "tokenizer.ggml.eos_token_id"
  static let endOfTurn = "tokenizer.ggml.eot_token_id"
  static let endOfMessage = "tokenizer.ggml.eom_token_id"
  static let padding = "tokenizer.ggml.padding_token_id"
  static let addBOS = "tokenizer.ggml.add_bos_token"
  static let addEOS = "tokenizer.ggml.add_eos_token"
  static let addSpacePrefix = "tokenizer.ggml.add_space_prefix"
  static let removeExtraWhitespaces = "tokenizer.ggml.remove_extra_whitespaces"
}
