/// Writes one JSON object, key by key.
struct JSONText {
  private var members: [String] = []

  var text: String { "{" + members.joined(separator: ", ") + "}" }

  mutating func add(_ key: String, raw value: String) { members.append(Self.quoted(key) + ": " + value) }

  mutating func add(_ key: String, _ value: String) { add(key, raw: Self.quoted(value)) }

  mutating func add(_ key: String, numbers: [UInt32]) {
    add(key, raw: "[" + numbers.map { String($0) }.joined(separator: ", ") + "]")
  }

  /// A number with six decimals, or null.
  mutating func add(_ key: String, seconds: Double?) {
    add(key, raw: seconds.map { JobSummary.decimal($0, 6) } ?? "null")
  }

  /// A string in quotes, with the escapes of RFC 8259.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
