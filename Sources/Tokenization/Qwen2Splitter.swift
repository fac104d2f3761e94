/// The rules of Qwen 2 and 3 (`pre_tokenizer` of their tokenizer.json):
///
///     (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N} | ?[^\s\p{L}\p{N}]+[\r\n]*
///     | \s*[\r\n]+ | \s+(?!\S) | \s+
///
/// (written without blanks, but for the one before the third question mark). The first alternative that matches wins.
struct Qwen2Splitter: PieceSplitter {
  func pieceEnd(in text: borrowing ScalarText, from start: Int) -> Int {
    let first = text.traits[start]
    if text.values[start] == 0x27, let end = contractionEnd(in: text, from: start) { return end }
    if first.contains(.letter) { return end(of: .letter, in: text, from: start + 1) }
    if first.contains(.number) { return start + 1 }
    if !first.contains(.lineBreak), text.traits[start + 1].contains(.letter) {
      return end(of: .letter, in: text, from: start + 2)
    }
    let symbols = text.values[start] == 0x20 ? start + 1 : start
    if text.traits[symbols].isOther {
      var end = symbols + 1
      while text.traits[end].isOther { end += 1 }
      return self.end(of: .lineBreak, in: text, from: end)
    }
    return whitespaceEnd(in: text, from: start)
  }

  /// The end of a run of scalars that have a trait.
  private func end(of trait: ScalarTraits, in text: borrowing ScalarText, from start: Int) -> Int {
    var end = start
    while text.traits[end].contains(trait) { end += 1 }
    return end
  }

  /// The end of 's, 't, 're, 've, 'm, 'll or 'd in either case; nil when the apostrophe begins none of them.
  private func contractionEnd(in text: borrowing ScalarText, from start: Int) -> Int? {
    switch lowered(text.values[start + 1]) {
    // s, t, m, d; and the long s, which is an s when case is ignored.
    case 0x73, 0x74, 0x6D, 0x64, 0x17F: return start + 2
    // r, v and then e.
    case 0x72, 0x76: return lowered(text.values[start + 2]) == 0x65 ? start + 3 : nil
    // l and then l.
    case 0x6C: return lowered(text.values[start + 2]) == 0x6C ? start + 3 : nil
    default: return nil
    }
  }

  private func lowered(_ value: UInt32) -> UInt32 { (0x41...0x5A).contains(value) ? value + 0x20 : value }

  /// White space up to its last line break; without one all of it at the end of the text, else all but the last scalar,
  /// which goes with what follows (or alone, when it is the only one).
  private func whitespaceEnd(in text: borrowing ScalarText, from start: Int) -> Int {
    var end = start
    var afterLineBreak: Int?
    while text.traits[end].contains(.whitespace) {
      if text.traits[end].contains(.lineBreak) { afterLineBreak = end + 1 }
      end += 1
    }
    if let afterLineBreak { return afterLineBreak }
    return end == text.count || end == start + 1 ? end : end - 1
  }
}
