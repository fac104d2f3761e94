/// A piece of Swift or C source, as far as the rules need to tell pieces apart.
struct Token: Equatable {
  enum Kind: Equatable {
    /// An identifier or keyword; attributes keep their `@`, backquotes are dropped.
    case word
    case number
    /// One character of punctuation.
    case mark
    /// The text between the quotes; code inside `\( )` follows as tokens of its own.
    case string
    case comment
    /// `///` or `/** */`.
    case documentation
    /// A preprocessor line of C, with its continuations.
    case directive
  }

  var kind: Kind
  var text: String
  var line: Int
  var endLine: Int
  /// Whether white space, a line break or a comment stands before it.
  var spaceBefore: Bool

  func isWord(_ word: String) -> Bool { kind == .word && text == word }
  func isMark(_ mark: String) -> Bool { kind == .mark && text == mark }
  var isComment: Bool { kind == .comment || kind == .documentation }
  var opens: Bool { kind == .mark && (text == "(" || text == "[" || text == "{") }
  var closes: Bool { kind == .mark && (text == ")" || text == "]" || text == "}") }
}

extension [Token] {
  /// The code alone.
  var withoutComments: [Token] { filter { !$0.isComment } }

  /// The index of the bracket that closes the one at `index`, or the last index if none does.
  func closing(_ index: Int) -> Int {
    var depth = 0
    for position in index..<count {
      if self[position].opens { depth += 1 }
      if self[position].closes {
        depth -= 1
        if depth == 0 { return position }
      }
    }
    return count - 1
  }
}
