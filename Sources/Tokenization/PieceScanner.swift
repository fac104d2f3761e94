/// Cuts a text into the pieces that byte-pair encoding then works on, each for itself.
struct PieceScanner: Sendable {
  private let rules: SplitRules
  /// Where the current piece of each stage ends.
  private var ends: [Int]

  init(_ rules: SplitRules) {
    self.rules = rules
    ends = rules.stages.map { _ in 0 }
  }

  /// The end of the piece that begins at `start`, which must be 0 or the end of the piece before; it is greater than
  /// `start` and at most `text.count`.
  mutating func pieceEnd(in text: borrowing ScalarText, from start: Int) -> Int {
    var limit = text.count
    for stage in rules.stages.indices {
      if ends[stage] <= start {
        ends[stage] = Self.end(of: rules.stages[stage], in: text, from: start, limit: limit)
      }
      limit = ends[stage]
    }
    return limit
  }

  /// The end of the first piece of one stage: what an alternative matches, or all up to where one matches.
  private static func end(
    of alternatives: [SplitAlternative], in text: borrowing ScalarText, from start: Int, limit: Int
  ) -> Int {
    var position = start
    while position < limit {
      var next = position + 1
      for alternative in alternatives {
        guard let end = alternative.end(in: text, from: position, limit: limit), end > position else { continue }
        if alternative.cuts { return position > start ? position : end }
        next = end
        break
      }
      position = next
    }
    return limit
  }
}

extension SplitAlternative {
  /// The end of what the alternative matches at `start`; nil when it does not match.
  func end(in text: borrowing ScalarText, from start: Int, limit: Int) -> Int? {
    if let lead, start < limit, lead.contains(text.traits[start]),
      let end = mainEnd(in: text, from: start + 1, limit: limit)
    {
      return end
    }
    return mainEnd(in: text, from: start, limit: limit)
  }

  private func mainEnd(in text: borrowing ScalarText, from start: Int, limit: Int) -> Int? {
    guard let end = main.end(in: text, from: start, limit: limit) else { return nil }
    return tail.map { $0.end(in: text, from: end, limit: limit) } ?? end
  }
}
