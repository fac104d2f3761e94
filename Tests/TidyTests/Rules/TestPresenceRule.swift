/// Every source file that declares a type with functions, and is no mere extension (`Type+Topic.swift`), has a test
/// file named after it, or is listed with the one that covers it. Data without behaviour is tested by what uses it.
enum TestPresenceRule {
  /// Whether a file declares a type at its top, and functions or subscripts with a body.
  static func declaresBehaviour(_ tokens: [Token]) -> Bool {
    var depth = 0
    let code = tokens.withoutComments
    let kinds: Set<String> = ["struct", "class", "enum", "actor", "protocol"]
    for (index, token) in code.enumerated() {
      if token.opens { depth += 1 }
      if token.closes { depth -= 1 }
      let isImport = index > 0 && code[index - 1].isWord("import")
      if depth == 0, token.kind == .word, kinds.contains(token.text), !isImport {
        let witnesses: Set<String> = ["hash", "encode", "==", "<"]
        return FunctionLength.swift(tokens).contains { function in
          let isFunction = code.contains { $0.line == function.line && ["func", "subscript"].contains($0.text) }
          return isFunction && !witnesses.contains(function.name)
        }
      }
    }
    return false
  }

  /// - Parameters:
  ///   - sources: names of the room's files that declare a type, without extension.
  ///   - tests: names of the room's test files, without extension.
  ///   - allTests: names of the test files of all rooms.
  ///   - listed: source file to the test file that covers it.
  ///   - untested: source files that nothing covers yet.
  static func differences(
    room: String, sources: Set<String>, tests: Set<String>, allTests: Set<String>, listed: [String: String],
    untested: [String]
  ) -> [String] {
    var differences: [String] = []
    for source in sources.sorted() {
      if tests.contains(source + "Tests") || listed[source] != nil || untested.contains(source) { continue }
      differences.append("\(room)/\(source).swift has no \(source)Tests.swift and is not listed")
    }
    for source in untested where !sources.contains(source) || tests.contains(source + "Tests") || listed[source] != nil
    {
      differences.append("\(room): \(source) is no longer untested, remove its entry")
    }
    for (source, test) in listed.sorted(by: { $0.key < $1.key }) {
      if !sources.contains(source) {
        differences.append("\(room): \(source) has no type with functions any more, remove its entry")
      } else if tests.contains(source + "Tests") {
        differences.append("\(room): \(source) has tests of its own now, remove its entry")
      } else if !allTests.contains(test) {
        differences.append("\(room): \(test).swift, which should cover \(source), does not exist")
      }
    }
    return differences
  }
}
