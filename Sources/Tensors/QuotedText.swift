/// Text of a file, or of another party, as it may stand in a message: in quotes, cut after 80 scalars, and with every
/// scalar escaped that prints nothing or steers the terminal (controls, formats such as those that turn the direction of
/// writing, line and paragraph separators, scalars that are not assigned). For people only: it cannot be read back.
public func quoted(_ text: some StringProtocol) -> String {
  let longest = 80
  var result = "\""
  for (index, scalar) in text.unicodeScalars.enumerated() {
    guard index < longest else { return result + "\"..." }
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\n": result += "\\n"
    case "\r": result += "\\r"
    case "\t": result += "\\t"
    case _ where isEscaped(scalar): result += "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}

private func isEscaped(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: true
  default: false
  }
}
