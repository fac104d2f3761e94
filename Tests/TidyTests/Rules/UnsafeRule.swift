/// Uses of `@unchecked` and `nonisolated(unsafe)`, and whether each says why it holds.
enum UnsafeRule {
  /// A reason counts when it starts at most this many lines from the use, before or after.
  private static let distance = 3

  static func uses(_ tokens: [Token]) -> [Token] {
    let code = tokens.withoutComments
    return code.indices.compactMap { index in
      if code[index].isWord("@unchecked") { return code[index] }
      guard code[index].isWord("nonisolated"), index + 2 < code.count, code[index + 1].isMark("("),
        code[index + 2].isWord("unsafe")
      else { return nil }
      return code[index]
    }
  }

  static func violations(room: String, path: String, tokens: [Token]) -> [Violation] {
    let reasons = tokens.filter { $0.isComment && $0.text.contains("SAFETY:") }
    return uses(tokens).compactMap { use in
      if !Limits.roomsWithUncheckedUses.contains(room) {
        return Violation(path: path, line: use.line, message: "\(room) may not use \(use.text)")
      }
      let near = reasons.contains { abs($0.line - use.line) <= distance || abs($0.endLine - use.line) <= distance }
      return near ? nil : Violation(path: path, line: use.line, message: "\(use.text) without a SAFETY comment")
    }
  }
}
