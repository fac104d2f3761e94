/// Every public declaration has a documentation comment, but for what is said elsewhere: by a protocol that it
/// fulfils, by the properties that an initializer fills in, or by name and type, of a property with at most a line of code.
enum DocumentationRule {
  private static let modifiers: Set<String> = [
    "static", "final", "mutating", "nonmutating", "nonisolated", "override", "convenience", "required", "consuming",
    "borrowing", "lazy", "weak", "indirect", "unowned", "class", "prefix", "postfix", "infix",
  ]
  private static let witnesses: Set<String> = [
    "description", "debugDescription", "hash", "encode", "rawValue", "RawValue", "next", "makeIterator", "startIndex",
    "endIndex", "index", "allCases", "errorDescription", "distance", "advanced", "Element", "Index", "Iterator",
  ]
  private static let witnessLabels: Set<String> = [
    "rawValue", "from", "integerLiteral", "stringLiteral", "arrayLiteral", "dictionaryLiteral", "floatLiteral",
  ]

  /// - Parameter requirements: names that protocols of the project require and document.
  static func violations(_ tokens: [Token], path: String, requirements: Set<String> = []) -> [Violation] {
    tokens.indices.compactMap { index in
      guard tokens[index].isWord("public"), let (keyword, name) = declaration(after: index, in: tokens),
        !requirements.contains(name), !isDocumented(index, in: tokens)
      else { return nil }
      return Violation(path: path, line: tokens[index].line, message: "public \(keyword) \(name) has no comment")
    }
  }

  /// The keyword and name of the declaration whose `public` stands at `index`, if it needs a comment.
  private static func declaration(after index: Int, in tokens: [Token]) -> (keyword: String, name: String)? {
    var position = index + 1
    while position + 2 < tokens.count {
      let token = tokens[position]
      if token.isMark("(") {
        // private(set), nonisolated(unsafe)
        position = tokens.closing(position) + 1
      } else if token.isComment || token.text.hasPrefix("@") || token.text == "private"
        || (modifiers.contains(token.text) && !(token.text == "class" && tokens[position + 2].isMark("{")))
      {
        position += 1
      } else {
        break
      }
    }
    guard position + 2 < tokens.count else { return nil }
    let keyword = tokens[position].text
    var name = tokens[position + 1].text
    let declares: Set<String> = [
      "func", "var", "let", "init", "subscript", "struct", "class", "enum", "actor", "protocol", "typealias", "case",
    ]
    guard declares.contains(keyword), !witnesses.contains(name), !isShort(position, in: tokens) else { return nil }
    if keyword == "init" {
      name = tokens[position + 2].text
      if witnessLabels.contains(name) || isMemberwise(position, in: tokens) { return nil }
    }
    // Operators witness Equatable, Comparable or arithmetic.
    if keyword == "func", tokens[position + 1].kind == .mark { return nil }
    return (keyword, name)
  }

  /// The functions and properties that a file's protocols require.
  static func requirements(_ tokens: [Token]) -> Set<String> {
    let code = tokens.withoutComments
    var names: Set<String> = []
    for index in code.indices where code[index].isWord("protocol") {
      guard let open = code[index...].firstIndex(where: { $0.isMark("{") }) else { continue }
      for position in open..<code.closing(open) where ["func", "var"].contains(code[position].text) {
        names.insert(code[position + 1].text)
      }
    }
    return names
  }

  /// Whether the declaration at `index` is a property with at most a line of code, or an initializer of one line.
  private static func isShort(_ index: Int, in tokens: [Token]) -> Bool {
    guard ["let", "var", "init"].contains(tokens[index].text) else { return false }
    let line = tokens[index...].prefix { $0.line == tokens[index].line && !$0.isComment }
    guard let brace = line.firstIndex(where: { $0.isMark("{") }) else { return tokens[index].text != "init" }
    return tokens[tokens.closing(brace)].line == tokens[index].line || line[..<brace].contains { $0.isMark("=") }
  }

  /// Whether the initializer at `index` does nothing but `self.name = name`.
  private static func isMemberwise(_ index: Int, in tokens: [Token]) -> Bool {
    guard let open = tokens[index...].firstIndex(where: { $0.isMark("(") }) else { return false }
    let brace = tokens.closing(open) + 1
    guard brace < tokens.count, tokens[brace].isMark("{") else { return false }
    let body = Array(tokens[(brace + 1)..<tokens.closing(brace)])
    return !body.isEmpty && body.count % 5 == 0
      && stride(from: 0, to: body.count, by: 5).allSatisfy { start in
        body[start].isWord("self") && body[start + 1].isMark(".") && body[start + 3].isMark("=")
          && body[start + 2].text == body[start + 4].text
      }
  }

  /// Whether the declaration's first token (an attribute or modifier before `public` belongs to it) follows one.
  private static func isDocumented(_ index: Int, in tokens: [Token]) -> Bool {
    var position = index - 1
    while position >= 0 {
      let token = tokens[position]
      if token.kind == .documentation { return true }
      if token.kind == .comment || token.text.hasPrefix("@") || modifiers.contains(token.text) {
        position -= 1
      } else if token.isMark(")"), let start = attributeStart(position, in: tokens) {
        position = start - 1
      } else {
        return false
      }
    }
    return false
  }

  /// Where the attribute whose arguments end at `index` starts.
  private static func attributeStart(_ index: Int, in tokens: [Token]) -> Int? {
    var depth = 0
    for position in stride(from: index, through: 0, by: -1) {
      if tokens[position].closes { depth += 1 }
      if tokens[position].opens { depth -= 1 }
      if depth == 0 { return position > 0 && tokens[position - 1].text.hasPrefix("@") ? position - 1 : nil }
    }
    return nil
  }
}
