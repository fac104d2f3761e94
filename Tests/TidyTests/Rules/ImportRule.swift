/// A room imports only what the table of the house allows it.
enum ImportRule {
  /// The modules imported by a file, with their lines.
  static func imports(_ tokens: [Token]) -> [(module: String, line: Int)] {
    let code = tokens.withoutComments
    let kinds: Set<String> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias", "actor"]
    return code.indices.compactMap { index in
      guard code[index].isWord("import"), index + 1 < code.count else { return nil }
      var next = index + 1
      if kinds.contains(code[next].text), next + 1 < code.count { next += 1 }
      return (code[next].text, code[index].line)
    }
  }

  static func violations(room name: String, path: String, tokens: [Token]) -> [Violation] {
    guard let room = House.room(name) else {
      return [Violation(path: path, line: 0, message: "\(name) is no room of docs/architecture.md")]
    }
    var allowed = House.reach(of: name).union(House.basics).union(room.packages)
    if room.foundationReason != nil { allowed.formUnion(House.foundation) }
    var violations = imports(tokens).filter { !allowed.contains($0.module) }.map {
      Violation(path: path, line: $0.line, message: "\(name) may not import \($0.module)")
    }
    for token in tokens where token.isWord("@_exported") {
      violations.append(Violation(path: path, line: token.line, message: "an exported import hides who needs what"))
    }
    return violations
  }

  /// The modules named by the `#include` lines of a C file, checked against the header folder of its own target.
  static func foreignIncludes(path: String, tokens: [Token], own: Set<String>) -> [Violation] {
    let system: Set<String> = [
      "immintrin.h", "arm_neon.h", "cpuid.h", "stdint.h", "stddef.h", "stdbool.h", "string.h", "math.h", "assert.h",
      "limits.h", "float.h", "sys/auxv.h", "asm/hwcap.h",
    ]
    return tokens.filter { $0.kind == .directive && $0.text.hasPrefix("#include") }.compactMap { token in
      let name = token.text.dropFirst("#include".count).filter { !"<>\" ".contains($0) }
      if system.contains(name) || own.contains(name) { return nil }
      return Violation(path: path, line: token.line, message: "includes \(name), which is not libc, intrinsics or ours")
    }
  }
}
