public import Tensors

/// Turns tokens into text as they come, never printing part of a character: bytes of an unfinished one wait for the rest.
///
/// The strings of all calls, one after another, are what `Tokenizer.decode` gives for all tokens at once, if both are told
/// alike whether the tokens go on from others.
public struct StreamingDetokenizer: Sendable {
  private let start: TokenPrinter
  private var printer: TokenPrinter
  /// Bytes that are not yet text; after each call at most 3.
  private var pending: [UInt8] = []

  /// - Parameters:
  ///   - includingControl: whether control tokens print their names; otherwise they print nothing.
  ///   - continuing: whether the tokens go on from others, as those of a completion do from its prompt; a whole text
  ///     loses the blank that `Tokenizer.encode` puts in front of it.
  public init(_ tokenizer: Tokenizer, includingControl: Bool = false, continuing: Bool = true) {
    start = TokenPrinter(tokenizer, includingControl: includingControl, continuing: continuing)
    printer = start
  }

  /// The text that a further token completes; empty while it ends inside a character.
  public mutating func append(_ token: TokenID) -> String {
    pending.append(contentsOf: printer.bytes(of: token))
    let complete = pending.count - Self.unfinishedByteCount(pending)
    guard complete > 0 else { return "" }
    defer { pending.removeFirst(complete) }
    return String(decoding: pending[..<complete], as: UTF8.self)
  }

  /// The end of the text: U+FFFD when bytes of an unfinished character are left. The next token begins a new text.
  public mutating func finish() -> String {
    defer {
      pending.removeAll()
      printer = start
    }
    return String(decoding: pending, as: UTF8.self)
  }

  /// Number of bytes at the end that can still become a character: 0 to 3.
  private static func unfinishedByteCount(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
      let byte = bytes[bytes.count - count]
      if byte & 0xC0 == 0x80 { continue }
      let second = count > 1 ? bytes[bytes.count - count + 1] : nil
      return canContinue(byte, second: second, count: count) ? count : 0
    }
    return 0
  }

  /// Whether a first byte, the second if there is one and possibly a third begin a longer character (table 3-7 of the
  /// Unicode standard: overlong forms, surrogates and values above U+10FFFF do not).
  private static func canContinue(_ first: UInt8, second: UInt8?, count: Int) -> Bool {
    let length: Int
    let seconds: ClosedRange<UInt8>
    switch first {
    case 0xC2...0xDF: (length, seconds) = (2, 0x80...0xBF)
    case 0xE0: (length, seconds) = (3, 0xA0...0xBF)
    case 0xED: (length, seconds) = (3, 0x80...0x9F)
    case 0xE1...0xEF: (length, seconds) = (3, 0x80...0xBF)
    case 0xF0: (length, seconds) = (4, 0x90...0xBF)
    case 0xF1...0xF3: (length, seconds) = (4, 0x80...0xBF)
    case 0xF4: (length, seconds) = (4, 0x80...0x8F)
    default: return false
    }
    return count < length && (second.map { seconds.contains($0) } ?? true)
  }
}
