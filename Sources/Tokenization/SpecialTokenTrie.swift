import Tensors

/// Finds special tokens in text: the longest that begins at a position.
struct SpecialTokenTrie: Sendable {
  private struct Node {
    let byte: UInt8
    /// The token that ends here; nil on the way to longer ones.
    var token: UInt32?
    /// First node of the next byte, and next node of the same; 0 for none (0 is the root).
    var firstChild: Int32 = 0
    var sibling: Int32 = 0
  }

  private var nodes = [Node(byte: 0)]
  /// Nodes of the first byte.
  private var firsts = [Int32](repeating: 0, count: 256)

  /// Adds a token that is found by its text; an empty text is never found.
  mutating func insert(_ text: ArraySlice<UInt8>, token: UInt32) {
    guard let first = text.first else { return }
    var node = firsts[Int(first)]
    if node == 0 {
      node = Int32(nodes.count)
      nodes.append(Node(byte: first))
      firsts[Int(first)] = node
    }
    for byte in text.dropFirst() {
      var child = self.child(of: node, byte)
      if child == 0 {
        child = Int32(nodes.count)
        nodes.append(Node(byte: byte, sibling: nodes[Int(node)].firstChild))
        nodes[Int(node)].firstChild = child
      }
      node = child
    }
    nodes[Int(node)].token = token
  }

  /// Whether a token can begin with the byte.
  func canBegin(with byte: UInt8) -> Bool { firsts[Int(byte)] != 0 }

  /// The longest token that begins at `start`, and the number of its bytes.
  func longestMatch(in bytes: [UInt8], at start: Int) -> (token: TokenID, byteCount: Int)? {
    var match: (token: TokenID, byteCount: Int)?
    var node = firsts[Int(bytes[start])]
    var end = start + 1
    while node != 0 {
      if let token = nodes[Int(node)].token { match = (TokenID(token), end - start) }
      guard end < bytes.count else { break }
      node = child(of: node, bytes[end])
      end += 1
    }
    return match
  }

  /// The tokens that are found in text whole: user-defined ones, and all with control tokens.
  /// - Throws: when one of them is too long.
  static func tries(
    _ texts: VocabularyTexts, _ kinds: [TokenKind]
  ) throws(TokenizationError) -> (user: SpecialTokenTrie, all: SpecialTokenTrie) {
    var user = SpecialTokenTrie()
    var all = SpecialTokenTrie()
    for (index, kind) in kinds.enumerated() where kind == .userDefined || kind.isSpecial {
      let text = texts[index]
      guard text.count <= TokenizerLimits.specialTokenByteCount else {
        throw TokenizationError(
          .limitExceeded,
          "\(TokenizerKey.tokens)[\(index)] is a special token of \(text.count) bytes; "
            + "at most \(TokenizerLimits.specialTokenByteCount) are looked for in text")
      }
      all.insert(text, token: UInt32(index))
      if kind == .userDefined { user.insert(text, token: UInt32(index)) }
    }
    return (user, all)
  }

  private func child(of node: Int32, _ byte: UInt8) -> Int32 {
    var child = nodes[Int(node)].firstChild
    while child != 0, nodes[Int(child)].byte != byte { child = nodes[Int(child)].sibling }
    return child
  }
}
