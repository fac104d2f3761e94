/// One JSON value (RFC 8259) that knows where it stands.
///
/// Parsers at hand give values without positions, accept duplicate keys and hide where a number came from; an error
/// in a topology has to name the line, so this one keeps line and column of every value and key.
struct JSONSyntax: Sendable, Hashable {
  enum Value: Sendable, Hashable {
    case null
    case boolean(Bool)
    /// Written without point and exponent; exact.
    case integer(Int)
    /// Written with a point or an exponent; the nearest double.
    case number(Double)
    case string(String)
    case array([JSONSyntax])
    /// In file order; names are distinct.
    case object([Member])
  }

  /// One `"name": value` of an object.
  struct Member: Sendable, Hashable {
    let name: String
    /// Where the name's opening quote stands.
    let position: SourcePosition
    let value: JSONSyntax
  }

  let value: Value
  /// Where the value's first character stands.
  let position: SourcePosition

  /// The value's type, as in "must be a string, not a list".
  var kind: String {
    switch value {
    case .null: "null"
    case .boolean: "true or false"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }
}
