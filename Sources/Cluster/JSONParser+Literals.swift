extension JSONParser {
  // MARK: - Numbers

  /// `-? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?`
  mutating func number() throws(TopologyError) -> JSONSyntax.Value {
    let start = position
    let startOffset = offset
    var isWhole = true
    if peek == UInt8(ascii: "-") { advance() }
    if peek == UInt8(ascii: "0") {
      advance()
      if let byte = peek, Self.isDigit(byte) { throw error(at: start, "a number has no leading zeros") }
    } else {
      try digits()
    }
    if peek == UInt8(ascii: ".") {
      isWhole = false
      advance()
      try digits()
    }
    if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
      isWhole = false
      advance()
      if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { advance() }
      try digits()
    }
    guard offset - startOffset <= Self.numberLengthMax else {
      throw error(at: start, "a number has more than \(Self.numberLengthMax) characters")
    }
    let text = String(decoding: bytes[startOffset..<offset], as: UTF8.self)
    if isWhole {
      guard let integer = Int(text) else { throw error(at: start, "\(text) is beyond 64 bits") }
      return .integer(integer)
    }
    guard let number = Double(text), number.isFinite else {
      throw error(at: start, "\(text) is beyond the range of a double")
    }
    return .number(number)
  }

  private mutating func digits() throws(TopologyError) {
    guard let first = peek, Self.isDigit(first) else { throw error("expected a digit, found \(found)") }
    while let byte = peek, Self.isDigit(byte) { advance() }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

  // MARK: - Strings

  mutating func string() throws(TopologyError) -> String {
    let start = position
    advance()
    var text: [UInt8] = []
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        advance()
        return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0x0A, 0x0D: throw error(at: start, "the string is not closed on its line; add a double quote")
      case 0..<0x20: throw error("\(found) inside a string must be written as an escape")
      case 0x20..<0x80:
        text.append(byte)
        advance()
      default: try multibyteScalar(into: &text)
      }
    }
    throw error(at: start, "the string is not closed; add a double quote")
  }

  /// One UTF-8 sequence of two to four bytes, by the table of well-formed sequences in the Unicode standard (3-7).
  private mutating func multibyteScalar(into text: inout [UInt8]) throws(TopologyError) {
    let second: ClosedRange<UInt8>
    let count: Int
    switch bytes[offset] {
    case 0xC2...0xDF: (second, count) = (0x80...0xBF, 2)
    case 0xE0: (second, count) = (0xA0...0xBF, 3)
    case 0xED: (second, count) = (0x80...0x9F, 3)
    case 0xE1...0xEF: (second, count) = (0x80...0xBF, 3)
    case 0xF0: (second, count) = (0x90...0xBF, 4)
    case 0xF1...0xF3: (second, count) = (0x80...0xBF, 4)
    case 0xF4: (second, count) = (0x80...0x8F, 4)
    default: throw error("\(found) is not UTF-8; save the file as UTF-8")
    }
    guard bytes.count - offset >= count, second ~= bytes[offset + 1],
      bytes[(offset + 2)..<(offset + count)].allSatisfy({ 0x80...0xBF ~= $0 })
    else { throw error("\(found) does not begin a UTF-8 character; save the file as UTF-8") }
    for _ in 0..<count {
      text.append(bytes[offset])
      advance()
    }
  }

  private mutating func escape(into text: inout [UInt8]) throws(TopologyError) {
    let start = position
    advance()
    guard let byte = peek else { throw error("the file ends inside an escape") }
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      advance()
      text.append(contentsOf: Array(String(try escapedScalar(from: start)).utf8))
      return
    default:
      throw error(at: start, "unknown escape; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four digits")
    }
    advance()
  }

  /// What follows `\u`: four hexadecimal digits, or two such escapes that form a surrogate pair.
  private mutating func escapedScalar(from start: SourcePosition) throws(TopologyError) -> Character {
    let first = try codeUnit(from: start)
    if let scalar = Unicode.Scalar(UInt32(first)) { return Character(scalar) }
    if UTF16.isLeadSurrogate(first), peek == UInt8(ascii: "\\") {
      advance()
      if peek == UInt8(ascii: "u") {
        advance()
        let second = try codeUnit(from: start)
        if UTF16.isTrailSurrogate(second) {
          return Character(UTF16.decode(UTF16.EncodedScalar([first, second])))
        }
      }
    }
    throw error(at: start, "the escape is half of a surrogate pair; write both halves, or the character itself")
  }

  private mutating func codeUnit(from start: SourcePosition) throws(TopologyError) -> UInt16 {
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw error(at: start, "\\u takes four hexadecimal digits")
      }
      unit = unit << 4 | UInt16(digit)
      advance()
    }
    return unit
  }
}
