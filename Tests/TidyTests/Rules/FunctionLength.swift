/// A function with a body and the lines from its signature to its closing brace.
struct FunctionLength: Equatable {
  var name: String
  var line: Int
  var lines: Int

  /// Functions, initializers, subscripts and computed properties of a Swift file, nested ones as well.
  static func swift(_ tokens: [Token]) -> [FunctionLength] {
    let code = tokens.withoutComments
    return code.indices.compactMap { index in
      let token = code[index]
      guard token.kind == .word, ["func", "init", "deinit", "subscript", "var"].contains(token.text),
        index == 0 || !code[index - 1].isMark("."), let body = body(after: index, in: code)
      else { return nil }
      let end = code[code.closing(body)].line
      let isNamed = token.text == "func" || token.text == "var"
      let name = isNamed ? code[index + 1].text : token.text
      return FunctionLength(name: name, line: token.line, lines: end - token.line + 1)
    }
  }

  /// The brace that opens the body of the declaration at `index`; none for a requirement or a stored property.
  private static func body(after index: Int, in code: [Token]) -> Int? {
    let others: Set<String> = [
      "func", "var", "let", "init", "deinit", "subscript", "case", "typealias", "associatedtype", "struct", "class",
      "enum", "extension", "protocol", "actor", "import", "return",
    ]
    let isProperty = code[index].text == "var"
    var position = index + 1
    while position < code.count {
      let token = code[position]
      if token.isMark("{") { return position }
      if token.closes { return nil }
      if token.kind == .word, others.contains(token.text), position > index + 1 { return nil }
      if isProperty, token.isMark("=") || token.line != code[index].line { return nil }
      position = token.opens ? code.closing(position) + 1 : position + 1
    }
    return nil
  }

  /// Functions of a C file, and its macros of several lines.
  static func c(_ tokens: [Token]) -> [FunctionLength] {
    let code = tokens.withoutComments
    var found = code.filter { $0.kind == .directive && $0.text.hasPrefix("#define") && $0.endLine > $0.line }.map {
      let name = $0.text.split(separator: " ").dropFirst().first?.prefix { $0 != "(" } ?? ""
      return FunctionLength(name: String(name), line: $0.line, lines: $0.endLine - $0.line + 1)
    }
    let plain = code.filter { $0.kind != .directive }
    var start = 0
    var position = 0
    while position < plain.count {
      let token = plain[position]
      if token.isMark("{"), position > 0 {
        // extern "C" { ... } holds functions; nothing else at the top does.
        if plain[position - 1].kind == .string {
          start = position + 1
        } else {
          let end = plain.closing(position)
          if plain[position - 1].isMark(")"), let name = cName(plain[start..<position]) {
            found.append(
              FunctionLength(name: name, line: plain[start].line, lines: plain[end].line - plain[start].line + 1))
          }
          position = end
          start = end + 1
        }
      } else if token.isMark(";") || token.isMark("}") {
        start = position + 1
      }
      position += 1
    }
    return found
  }

  /// The word before the parameters: the last group in parentheses at the top of the signature.
  private static func cName(_ signature: ArraySlice<Token>) -> String? {
    var depth = 0
    var name: String?
    for index in signature.indices {
      if signature[index].isMark("("), depth == 0, index > signature.startIndex, signature[index - 1].kind == .word,
        signature[index - 1].text != "__attribute__"
      {
        name = signature[index - 1].text
      }
      if signature[index].opens { depth += 1 }
      if signature[index].closes { depth -= 1 }
    }
    return name
  }
}
