/// How text is cut into pieces, as data: what the regular expressions of a model's tokenizer.json say, in the few forms
/// that these take.
///
/// Stages follow one another, each cutting every piece of the one before as if it were a text of its own. Within a stage
/// the first alternative that matches gives the piece; scalars at which none matches are a piece together.
struct SplitRules: Sendable {
  let stages: [[SplitAlternative]]

  init(_ stages: [SplitAlternative]...) { self.stages = stages }
}

/// One alternative of a regular expression: possibly one scalar in front, a main part, possibly a part behind.
struct SplitAlternative: Sendable {
  /// `[lead]?` with giving back: taken if the main part matches behind it, otherwise tried without.
  let lead: ScalarSet?
  let main: SplitElement
  let tail: SplitElement?
  /// False for what no expression says, and which stays with what surrounds it: scalars in which none of the
  /// alternatives before can match any more, so that they need not be looked at again and again.
  let cuts: Bool

  init(lead: ScalarSet? = nil, _ main: SplitElement, tail: SplitElement? = nil, cuts: Bool = true) {
    self.lead = lead
    self.main = main
    self.tail = tail
    self.cuts = cuts
  }
}

/// A part of an alternative. None looks at a scalar more than twice or beyond the first one that it does not take, and
/// what it took it does not give back to the parts before: that, and an order in which a long look that fails is followed
/// by an alternative that takes what was seen, is why cutting takes linear time.
enum SplitElement: Sendable {
  /// `[set]{least,most}`: as many as there are.
  case run(ScalarSet, least: Int = 1, most: Int = .max)
  /// `[first]*[last]+`: the longest run of the first set that ends in the last, and then on in the last.
  case ending(ScalarSet, ScalarSet)
  /// `\s+(?!\S)`: white space up to the end of the text, or all of a run but the scalar before other text.
  case spaceApart
  /// `\s+$`: white space up to the end of the text.
  case spaceAtEnd
  /// `'s|'t|'re|'ve|'m|'ll|'d`, in either case if asked for.
  case contraction(ignoringCase: Bool)
  /// The same in either case, or nothing.
  case contractionIfAny
}

extension SplitElement {
  /// The end of what the part matches at `start`; nil when it does not match.
  func end(in text: borrowing ScalarText, from start: Int, limit: Int) -> Int? {
    switch self {
    case .run(let set, let least, let most):
      // No text is long enough for the sum to overflow, but `most` may be.
      let last = most < limit - start ? start + most : limit
      var end = start
      while end < last, set.contains(text.traits[end]) { end += 1 }
      return end - start >= least ? end : nil
    case .ending(let first, let last):
      return Self.end(of: first, endingIn: last, in: text, from: start, limit: limit)
    case .spaceApart:
      var end = start
      while end < limit, text.traits[end].contains(.whitespace) { end += 1 }
      if end < limit { end -= 1 }
      return end > start ? end : nil
    case .spaceAtEnd:
      var end = start
      while end < limit, text.traits[end].contains(.whitespace) { end += 1 }
      return end == limit ? end : nil
    case .contraction(let ignoringCase):
      return Self.contractionEnd(in: text, from: start, limit: limit, ignoringCase: ignoringCase)
    case .contractionIfAny:
      return Self.contractionEnd(in: text, from: start, limit: limit, ignoringCase: true) ?? start
    }
  }

  private static func end(
    of first: ScalarSet, endingIn last: ScalarSet, in text: borrowing ScalarText, from start: Int, limit: Int
  ) -> Int? {
    var end = start
    var afterLast: Int?
    while end < limit, first.contains(text.traits[end]) {
      end += 1
      if last.contains(text.traits[end - 1]) { afterLast = end }
    }
    guard end < limit, last.contains(text.traits[end]) else { return afterLast }
    while end < limit, last.contains(text.traits[end]) { end += 1 }
    return end
  }

  private static func contractionEnd(
    in text: borrowing ScalarText, from start: Int, limit: Int, ignoringCase: Bool
  ) -> Int? {
    func letter(_ offset: Int) -> UInt32 {
      guard start + offset < limit else { return 0 }
      let value = text.values[start + offset]
      guard ignoringCase else { return value }
      // The long s is an s when case is ignored.
      if value == 0x17F { return 0x73 }
      return (0x41...0x5A).contains(value) ? value + 0x20 : value
    }
    guard letter(0) == 0x27 else { return nil }
    switch letter(1) {
    // s, t, m, d.
    case 0x73, 0x74, 0x6D, 0x64: return start + 2
    // r, v and then e.
    case 0x72, 0x76: return letter(2) == 0x65 ? start + 3 : nil
    // l and then l.
    case 0x6C: return letter(2) == 0x6C ? start + 3 : nil
    default: return nil
    }
  }
}
