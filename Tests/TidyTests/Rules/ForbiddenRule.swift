/// What no room does: stop the process on data, unwrap by force, print, leave notes to oneself.
enum ForbiddenRule {
  private static let notes = ["TO" + "DO", "FIX" + "ME", "X" + "XX"]

  static func violations(swift tokens: [Token], path: String, mayPrint: Bool) -> [Violation] {
    let code = tokens.withoutComments
    var found = noteViolations(tokens, path: path)
    func report(_ token: Token, _ message: String) {
      found.append(Violation(path: path, line: token.line, message: message))
    }
    for index in code.indices.dropFirst() {
      let token = code[index]
      let previous = code[index - 1]
      let isCall = index + 1 < code.count && code[index + 1].isMark("(") && !previous.isMark(".")
      if token.isMark("!"), !token.spaceBefore {
        if let what = forced(by: previous, next: index + 1 < code.count ? code[index + 1] : nil) { report(token, what) }
      } else if token.kind == .word, isCall, !previous.isWord("func") {
        if token.text == "fatal" + "Error" { report(token, "\(token.text) on anything but our own bugs") }
        if ["print", "debugPrint", "dump"].contains(token.text), !mayPrint { report(token, "prints") }
      }
    }
    return found
  }

  /// What a `!` right after `previous` does, if it forces something.
  private static func forced(by previous: Token, next: Token?) -> String? {
    if let next, next.isMark("="), !next.spaceBefore { return nil }
    if previous.isWord("try") || previous.isWord("as") { return "\(previous.text) by force" }
    let isValue = previous.kind == .word || previous.kind == .string || [")", "]", "}", "?"].contains(previous.text)
    return isValue ? "unwraps by force" : nil
  }

  /// C kernels neither allocate nor print nor stop the process.
  static func violations(c tokens: [Token], path: String) -> [Violation] {
    let calls: Set<String> = [
      "malloc", "calloc", "realloc", "free", "alloca", "printf", "fprintf", "puts", "exit", "abort", "getenv",
    ]
    let code = tokens.withoutComments
    return noteViolations(tokens, path: path)
      + code.indices.dropLast().filter { calls.contains(code[$0].text) && code[$0 + 1].isMark("(") }.map {
        Violation(path: path, line: code[$0].line, message: "calls \(code[$0].text)")
      }
  }

  /// Tests take a clock instead of waiting.
  static func sleeps(_ tokens: [Token], path: String) -> [Violation] {
    let code = tokens.withoutComments
    let calls: Set<String> = ["sleep", "usleep", "nanosleep"]
    return code.indices.dropLast().filter { calls.contains(code[$0].text) && code[$0 + 1].isMark("(") }.map {
      Violation(path: path, line: code[$0].line, message: "a test that sleeps")
    }
  }

  private static func noteViolations(_ tokens: [Token], path: String) -> [Violation] {
    tokens.filter(\.isComment).flatMap { comment in
      notes.filter { comment.text.contains($0) }.map {
        Violation(path: path, line: comment.line, message: "\($0): do it, or open an issue")
      }
    }
  }
}
