/// Cuts text into the pieces that byte-pair encoding then works on, each for itself.
///
/// A conforming type is the hand-written form of one regular expression that never looks at a scalar more than a fixed
/// number of times.
protocol PieceSplitter: Sendable {
  /// The end of the piece that begins at `start`: greater than `start`, at most `text.count`.
  func pieceEnd(in text: borrowing ScalarText, from start: Int) -> Int
}

/// How text is prepared before byte-pair encoding: a row of the table of the values of `tokenizer.ggml.pre`.
struct PreTokenizer: Sendable {
  /// The value of the key.
  let name: String
  /// Whether the text is brought into Unicode normalization form C.
  let composes: Bool
  /// Whether a text begins with the beginning-of-sequence token when `tokenizer.ggml.add_bos_token` is not given.
  let addsBOS: Bool
  let splitter: any PieceSplitter

  /// The rules that are built in.
  static let all: [PreTokenizer] = [
    PreTokenizer(name: "qwen2", composes: true, addsBOS: false, splitter: Qwen2Splitter())
  ]

  /// - Throws: when no rules of that name are built in.
  static func named(_ name: String?) throws(TokenizationError) -> PreTokenizer {
    if let row = all.first(where: { $0.name == name }) { return row }
    let found = name.map { "is \(quoted($0))" } ?? "is missing"
    throw TokenizationError(
      .unsupported,
      "\(TokenizerKey.preTokenizer) \(found); supported: \(all.map(\.name).joined(separator: ", "))")
  }
}
