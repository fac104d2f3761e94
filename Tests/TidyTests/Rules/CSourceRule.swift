/// What a C file must say so that its floating-point results are the ones written.
enum CSourceRule {
  private static let contraction = "#pragma STDC FP_CONTRACT OFF"

  /// Whether a file switches contraction off, itself or through a header of ours.
  /// - Parameter header: the tokens of an included header, by the name given in `#include "..."`.
  static func switchesContractionOff(_ tokens: [Token], header: (String) -> [Token]?) -> Bool {
    tokens.filter { $0.kind == .directive }.contains { token in
      if token.text.split(separator: " ").joined(separator: " ") == contraction { return true }
      guard token.text.hasPrefix("#include \"") else { return false }
      let name = token.text.dropFirst("#include \"".count).prefix { $0 != "\"" }
      return header(String(name)).map { switchesContractionOff($0, header: header) } ?? false
    }
  }

  /// Ways of asking the compiler for another meaning or another machine.
  static func violations(_ tokens: [Token], path: String) -> [Violation] {
    let asks = ["fast-math", "-march", "-mtune", "FP_CONTRACT ON", "float_control", "reassociate", "fp contract"]
    return tokens.filter { !$0.isComment }.flatMap { token in
      asks.filter { token.text.contains($0) }.map {
        Violation(path: path, line: token.line, message: "asks the compiler for \($0)")
      }
    }
  }
}
