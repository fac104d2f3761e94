/// Package.swift gives each target what the table of the house allows it, and no flags of its own.
enum ManifestRule {
  struct Target: Equatable {
    var name: String
    var rooms: [String]
    var packages: [String]
  }

  /// The rows `room("Name", [...])` and `.target(name: "Name", dependencies: [...])`.
  static func targets(_ tokens: [Token]) -> [Target] {
    let code = tokens.withoutComments
    let products = productsByVariable(code)
    return code.indices.compactMap { index in
      guard index + 2 < code.count, code[index + 1].isMark("(") else { return nil }
      let arguments = code[(index + 2)..<code.closing(index + 1)]
      guard let name = arguments.first(where: { $0.kind == .string })?.text else { return nil }
      if code[index].isWord("room"), arguments.first?.kind == .string {
        let packages = arguments.filter { $0.kind == .word }.flatMap { products[$0.text] ?? [] }
        return Target(
          name: name, rooms: arguments.filter { $0.kind == .string }.dropFirst().map(\.text), packages: packages)
      }
      let isTarget = code[index].isWord("target") || code[index].isWord("executableTarget")
      guard isTarget, index > 0, code[index - 1].isMark(".") else { return nil }
      let list = arguments.firstIndex { $0.isWord("dependencies") }.map {
        arguments[$0...].prefix { !$0.isWord("path") }
      }
      let named = (list ?? []).prefix { !$0.isWord("swiftSettings") }
      return Target(
        name: name, rooms: named.filter { $0.kind == .string }.map(\.text),
        packages: named.filter { $0.kind == .word }.flatMap { products[$0.text] ?? [] })
    }
  }

  /// `let nio: ... = [.product(name: "NIOCore", ...)]`: the products that a variable stands for.
  private static func productsByVariable(_ code: [Token]) -> [String: [String]] {
    var products: [String: [String]] = [:]
    var variable = ""
    for index in code.indices.dropLast(3) {
      if code[index].isWord("let") { variable = code[index + 1].text }
      if code[index].isWord("product"), code[index + 2].isWord("name"), index + 4 < code.count {
        products[variable, default: []].append(code[index + 4].text)
      }
    }
    return products
  }

  static func violations(_ text: String, folders: Set<String>) -> [Violation] {
    let tokens = Lexer.tokens(text)
    let targets = targets(tokens)
    var violations: [Violation] = []
    func report(_ message: String, line: Int = 0) {
      violations.append(Violation(path: "Package.swift", line: line, message: message))
    }
    for target in targets where target.name != "shoal" {
      guard let room = House.room(target.name) else {
        report("\(target.name) is no room of docs/architecture.md")
        continue
      }
      for name in target.rooms where !House.reach(of: target.name).contains(name) {
        report("\(target.name) may not depend on \(name)")
      }
      for name in target.packages where !room.packages.contains(name) {
        report("\(target.name) may not depend on the package product \(name)")
      }
    }
    let names = Set(targets.map(\.name))
    for name in folders.subtracting(names).sorted() { report("\(name) is no target") }
    for name in names.subtracting(folders).sorted() { report("the target \(name) has no folder") }
    let forbidden: Set<String> = [
      "unsafeFlags", "cSettings", "linkerSettings", "branch", "revision", "swiftLanguageModes",
    ]
    for token in tokens where token.kind == .word && forbidden.contains(token.text) {
      report("\(token.text) is not used here", line: token.line)
    }
    for token in tokens where token.kind == .string && token.text.hasPrefix("-") {
      report("compiler flags are not given here: \(token.text)", line: token.line)
    }
    return violations
  }
}
