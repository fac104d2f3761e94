import Tensors

/// Parser behind `JSONSyntax`: RFC 8259 to the letter, with limits on size, depth and number of values.
///
/// Refused beyond what the grammar refuses: duplicate names in one object, a byte order mark, invalid UTF-8, escapes
/// of lone surrogates, whole numbers beyond 64 bits and numbers beyond a double.
struct JSONParser {
  /// Most bytes of a file.
  static let byteCountMax = 16 << 20
  /// Most lists and objects inside one another; keeps the recursion shallow.
  static let depthMax = 64
  /// Most values in one file; keeps the memory a small multiple of an honest file's.
  static let valueCountMax = 1 << 20
  /// Most characters of one number.
  static let numberLengthMax = 128

  let bytes: [UInt8]
  let file: String
  private(set) var offset = 0
  private var line = 1
  private var column = 1
  private var valueCount = 0

  private init(bytes: [UInt8], file: String) {
    self.bytes = bytes
    self.file = file
  }

  /// Reads one value with nothing but whitespace around it.
  static func parse(_ bytes: [UInt8], file: String) throws(TopologyError) -> JSONSyntax {
    var parser = JSONParser(bytes: bytes, file: file)
    guard bytes.count <= byteCountMax else {
      throw parser.error("the file has \(bytes.count) bytes; at most \(byteCountMax) are read")
    }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
      throw parser.error("the file begins with a byte order mark; save it as UTF-8 without one")
    }
    let value = try parser.value(depth: 0)
    parser.skipWhitespace()
    guard parser.offset == bytes.count else {
      throw parser.error("there is \(parser.found) after the end of the value; remove it")
    }
    return value
  }

  // MARK: - Values

  private mutating func value(depth: Int) throws(TopologyError) -> JSONSyntax {
    skipWhitespace()
    let start = position
    valueCount += 1
    guard valueCount <= Self.valueCountMax else { throw error("more than \(Self.valueCountMax) values") }
    let value: JSONSyntax.Value
    guard let first = peek else { throw error("expected a value, found \(found)") }
    switch first {
    case UInt8(ascii: "{"): value = .object(try object(depth: depth + 1))
    case UInt8(ascii: "["): value = .array(try array(depth: depth + 1))
    case UInt8(ascii: "\""): value = .string(try string())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): value = try number()
    case UInt8(ascii: "a")...UInt8(ascii: "z"): value = try word()
    default: throw error("expected a value, found \(found)")
    }
    return JSONSyntax(value: value, position: start)
  }

  private mutating func object(depth: Int) throws(TopologyError) -> [JSONSyntax.Member] {
    try open(depth: depth)
    var members: [JSONSyntax.Member] = []
    var lines: [String: Int] = [:]
    if take(UInt8(ascii: "}")) { return members }
    repeat {
      skipWhitespace()
      let start = position
      guard peek == UInt8(ascii: "\"") else { throw error("expected a name in double quotes, found \(found)") }
      let name = try string()
      if let line = lines.updateValue(start.line, forKey: name) {
        throw error(at: start, "\(quoted(name)) stands twice in this object, first on line \(line); remove one")
      }
      guard take(UInt8(ascii: ":")) else { throw error("expected \":\" after \(quoted(name)), found \(found)") }
      members.append(JSONSyntax.Member(name: name, position: start, value: try value(depth: depth)))
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { throw error("expected \",\" or \"}\", found \(found)") }
    return members
  }

  private mutating func array(depth: Int) throws(TopologyError) -> [JSONSyntax] {
    try open(depth: depth)
    var elements: [JSONSyntax] = []
    if take(UInt8(ascii: "]")) { return elements }
    repeat {
      elements.append(try value(depth: depth))
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "]")) else { throw error("expected \",\" or \"]\", found \(found)") }
    return elements
  }

  /// Steps over the bracket that opens a list or an object.
  private mutating func open(depth: Int) throws(TopologyError) {
    guard depth <= Self.depthMax else {
      throw error("more than \(Self.depthMax) lists and objects inside one another")
    }
    advance()
  }

  private mutating func word() throws(TopologyError) -> JSONSyntax.Value {
    let start = position
    var text = ""
    while let byte = peek, UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte, text.utf8.count <= 5 {
      text.unicodeScalars.append(Unicode.Scalar(byte))
      advance()
    }
    switch text {
    case "true": return .boolean(true)
    case "false": return .boolean(false)
    case "null": return .null
    default: throw error(at: start, "expected a value, found \(text); strings stand in double quotes")
    }
  }

  // MARK: - Bytes

  var position: SourcePosition { SourcePosition(line: line, column: column) }

  var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  /// Steps over one byte. The column is counted on the way: counting it from the line's start at each value would
  /// take quadratic time in a file of one long line.
  mutating func advance() {
    switch bytes[offset] {
    case UInt8(ascii: "\n"):
      line += 1
      column = 1
    case 0x80...0xBF: break
    default: column += 1
    }
    offset += 1
  }

  private mutating func skipWhitespace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { advance() }
  }

  /// Steps over whitespace, then over `byte` if it comes next.
  private mutating func take(_ byte: UInt8) -> Bool {
    skipWhitespace()
    guard peek == byte else { return false }
    advance()
    return true
  }

  // MARK: - Errors

  /// What stands at the current place, for a message.
  var found: String {
    guard let byte = peek else { return "the end of the file" }
    switch byte {
    case UInt8(ascii: "/"), UInt8(ascii: "#"): return "\"\(Unicode.Scalar(byte))\" (JSON has no comments)"
    case UInt8(ascii: "}"), UInt8(ascii: "]"): return "\"\(Unicode.Scalar(byte))\" (is there a comma too many?)"
    case UInt8(ascii: "\""): return "a string (is there a comma missing?)"
    case 0x21...0x7E: return "\"\(Unicode.Scalar(byte))\""
    default: return "the byte 0x" + String(byte, radix: 16, uppercase: true)
    }
  }

  func error(at position: SourcePosition? = nil, _ message: String) -> TopologyError {
    TopologyError(.syntax, file: file, at: position ?? self.position, message)
  }
}
