/// What a token is for: the values of the metadata key `tokenizer.ggml.token_type`.
public enum TokenKind: UInt8, Sendable, Hashable {
  /// No type was given.
  case undefined = 0
  /// A piece of text; in byte-level vocabularies written in the byte alphabet.
  case normal = 1
  /// Stands for what the vocabulary cannot express.
  case unknown = 2
  /// Structure that is not text: end of text, start of a message.
  case control = 3
  /// Added by the model's makers and found in text whole, such as `<think>`; it is text and is printed.
  case userDefined = 4
  /// Fills the vocabulary up to a round size.
  case unused = 5
  /// A single byte.
  case byte = 6

  /// Whether the token stands for text that a reader of a completion sees.
  var isPrinted: Bool {
    switch self {
    case .normal, .userDefined, .byte: true
    case .undefined, .unknown, .control, .unused: false
    }
  }

  /// Whether the token's text is written in the byte alphabet of a byte-level vocabulary, and not as it is.
  var isByteEncoded: Bool {
    switch self {
    case .undefined, .normal, .byte: true
    case .unknown, .control, .userDefined, .unused: false
    }
  }

  /// Whether the token is only found in text when special tokens are looked for.
  var isSpecial: Bool { self == .control || self == .unknown }
}
