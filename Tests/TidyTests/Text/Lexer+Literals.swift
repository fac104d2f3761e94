extension Lexer {
  /// How many `#` open a raw string here, if one opens.
  func rawStringHashes() -> Int? {
    var hashes = 0
    while peek(hashes) == UInt8(ascii: "#") { hashes += 1 }
    return hashes > 0 && peek(hashes) == UInt8(ascii: "\"") ? hashes : nil
  }

  mutating func lineComment() {
    let isDocumentation = peek(2) == UInt8(ascii: "/") && peek(3) != UInt8(ascii: "/")
    var end = position
    while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
    emit(isDocumentation ? .documentation : .comment, from: position, length: end - position)
  }

  /// Swift's block comments nest, those of C do not.
  mutating func blockComment() {
    let start = position
    let startLine = line
    let isDocumentation = peek(2) == UInt8(ascii: "*") && peek(3) != UInt8(ascii: "/")
    var depth = 0
    while let byte = peek() {
      if byte == UInt8(ascii: "*"), peek(1) == UInt8(ascii: "/") {
        depth -= 1
        position += 2
        if depth == 0 { break }
      } else if byte == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "*"), depth == 0 || language == .swift {
        depth += 1
        position += 2
      } else {
        if byte == UInt8(ascii: "\n") { line += 1 }
        position += 1
      }
    }
    emit(isDocumentation ? .documentation : .comment, from: start, length: position - start, startLine: startLine)
  }

  mutating func character() {
    var end = position + 1
    while end < bytes.count, bytes[end] != UInt8(ascii: "'"), bytes[end] != UInt8(ascii: "\n") {
      end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1
    }
    emit(.string, from: position, length: min(end + 1, bytes.count) - position)
  }

  /// A preprocessor line with the lines that continue it.
  mutating func directive() {
    let start = position
    let startLine = line
    while let byte = peek(), byte != UInt8(ascii: "\n") {
      if byte == UInt8(ascii: "\\"), peek(1) == UInt8(ascii: "\n") {
        line += 1
        position += 1
      }
      position += 1
    }
    emit(.directive, from: start, length: position - start, startLine: startLine)
  }

  /// A string of Swift or C; the code of an interpolation is scanned like any other.
  mutating func string(hashes: Int) {
    let startLine = line
    let quote = UInt8(ascii: "\"")
    position += hashes
    let isLong = language == .swift && peek(1) == quote && peek(2) == quote
    let quotes = isLong ? 3 : 1
    position += quotes
    let index = tokens.count
    add(.string, text: "", startLine: startLine)
    var text: [UInt8] = []
    while let byte = peek() {
      if byte == quote, ends(quotes: quotes, hashes: hashes) {
        position += quotes + hashes
        break
      }
      if byte == UInt8(ascii: "\n") {
        if !isLong { break }
        line += 1
      }
      if byte == UInt8(ascii: "\\"), follows(hashes: hashes, at: 1) {
        position += 1 + hashes
        if language == .swift, peek() == UInt8(ascii: "(") {
          position += 1
          scan(untilParenthesis: true)
        } else {
          text.append(byte)
          if let escaped = peek() {
            text.append(escaped)
            if escaped == UInt8(ascii: "\n") { line += 1 }
          }
        }
        position += 1
        continue
      }
      text.append(byte)
      position += 1
    }
    tokens[index].text = String(decoding: text, as: UTF8.self)
    tokens[index].endLine = line
    spaceBefore = false
  }

  private func follows(hashes: Int, at ahead: Int) -> Bool {
    (0..<hashes).allSatisfy { peek(ahead + $0) == UInt8(ascii: "#") }
  }

  private func ends(quotes: Int, hashes: Int) -> Bool {
    (0..<quotes).allSatisfy { peek($0) == UInt8(ascii: "\"") } && follows(hashes: hashes, at: quotes)
  }
}
