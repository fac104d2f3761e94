/// Cuts Swift or C into tokens: enough to know comments and strings from code. Regular expression literals are not
/// known, and conditional compilation is not followed: both branches count.
struct Lexer {
  enum Language {
    case swift, c
  }

  let language: Language
  let bytes: [UInt8]
  var position = 0
  var line = 1
  var tokens: [Token] = []
  var spaceBefore = true
  var lineHasCode = false

  init(_ text: String, language: Language = .swift) {
    bytes = Array(text.utf8)
    self.language = language
  }

  static func tokens(_ text: String, language: Language = .swift) -> [Token] {
    var lexer = Lexer(text, language: language)
    lexer.scan(untilParenthesis: false)
    return lexer.tokens
  }

  /// Reads to the end, or to the parenthesis that closes an interpolation.
  mutating func scan(untilParenthesis: Bool) {
    var depth = 0
    while let byte = peek() {
      if isSpace(byte) {
        skipSpace(byte)
      } else if byte == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "/") {
        lineComment()
      } else if byte == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "*") {
        blockComment()
      } else if byte == UInt8(ascii: "\"") {
        string(hashes: 0)
      } else if language == .swift, let hashes = rawStringHashes() {
        string(hashes: hashes)
      } else if language == .c, byte == UInt8(ascii: "'") {
        character()
      } else if language == .c, byte == UInt8(ascii: "#"), !lineHasCode {
        directive()
      } else if isWordStart(byte) || (byte == UInt8(ascii: "@") && isWordStart(peek(1) ?? 0)) {
        word()
      } else if isDigit(byte) {
        number()
      } else {
        if untilParenthesis {
          if byte == UInt8(ascii: "(") { depth += 1 }
          if byte == UInt8(ascii: ")") {
            if depth == 0 { return }
            depth -= 1
          }
        }
        emit(.mark, from: position, length: 1)
      }
    }
  }

  func peek(_ ahead: Int = 0) -> UInt8? {
    position + ahead < bytes.count ? bytes[position + ahead] : nil
  }

  mutating func emit(_ kind: Token.Kind, from start: Int, length: Int, startLine: Int? = nil) {
    let text = String(decoding: bytes[start..<start + length], as: UTF8.self)
    add(kind, text: text, startLine: startLine ?? line)
    position = start + length
  }

  mutating func add(_ kind: Token.Kind, text: String, startLine: Int) {
    tokens.append(Token(kind: kind, text: text, line: startLine, endLine: line, spaceBefore: spaceBefore))
    spaceBefore = kind == .comment || kind == .documentation
    if !spaceBefore { lineHasCode = true }
  }

  private mutating func skipSpace(_ byte: UInt8) {
    if byte == UInt8(ascii: "\n") {
      line += 1
      lineHasCode = false
    }
    spaceBefore = true
    position += 1
  }

  private mutating func word() {
    var end = position + 1
    while end < bytes.count, isWordStart(bytes[end]) || isDigit(bytes[end]) { end += 1 }
    let text = String(decoding: bytes[position..<end].filter { $0 != UInt8(ascii: "`") }, as: UTF8.self)
    add(.word, text: text, startLine: line)
    position = end
  }

  private mutating func number() {
    var end = position + 1
    while end < bytes.count, isWordStart(bytes[end]) || isDigit(bytes[end]) { end += 1 }
    emit(.number, from: position, length: end - position)
  }
}

private func isSpace(_ byte: UInt8) -> Bool {
  byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
}

private func isDigit(_ byte: UInt8) -> Bool {
  byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
}

private func isWordStart(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
  case UInt8(ascii: "_"), UInt8(ascii: "$"), UInt8(ascii: "`"), 0x80...: true
  default: false
  }
}
