/// No function of libm but square root and fused multiply-add: what machines must agree on is computed by our own code.
enum SymbolRule {
  private static let functions: Set<String> = [
    "exp", "exp2", "exp10", "expm1", "log", "log2", "log10", "log1p", "pow", "sin", "cos", "tan", "sincos", "asin",
    "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "tgamma", "lgamma",
    "cbrt", "hypot", "fmod", "remainder", "remquo", "rint", "nearbyint", "lrint", "llrint", "round", "roundeven",
    "lround", "llround", "floor", "ceil", "trunc", "ldexp", "scalbn", "frexp", "modf", "fdim", "j0", "j1", "y0", "y1",
  ]

  /// The functions of libm that an object leaves to the linker.
  /// - Parameter listing: what `nm -u` prints.
  static func mathFunctions(inListing listing: String) -> [String] {
    listing.split(separator: "\n").compactMap { line in
      let parts = line.split(separator: " ")
      guard let last = parts.last, parts.dropLast().last == "U" else { return nil }
      var symbol = last.prefix { $0 != "@" }
      if symbol.hasPrefix("__"), symbol.hasSuffix("_finite") { symbol = symbol.dropFirst(2).dropLast("_finite".count) }
      let isMath =
        functions.contains(String(symbol)) || symbol.hasPrefix("_ZGV")
        || ("fl".contains(symbol.last ?? " ") && functions.contains(String(symbol.dropLast())))
      return isMath ? String(last) : nil
    }
  }
}
