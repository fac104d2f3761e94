import Tensors

/// Finds special tokens in text: from the left, at each position the longest that begins there.
///
/// The texts are kept by their bytes from last to first, with links to the longest proper end of what was read that is
/// also a way into the trie (Aho and Corasick, "Efficient string matching", 1975). A text is read once from its end to
/// its beginning; the node reached at a position then knows the longest token that begins there. That takes linear time
/// whatever the vocabulary, where trying every position forwards would take the length of the longest token for each.
struct SpecialTokenTrie: Sendable {
  /// A token in a text.
  struct Match: Sendable, Equatable {
    let token: TokenID
    /// Bytes of the text.
    let range: Range<Int>
  }

  /// Of each node, in order of depth: 0 is the root, and the children of one node lie together, sorted by byte.
  private var bytes: [UInt8] = [0]
  /// First child of each node; its children end where those of the next node begin. One more than there are nodes.
  private var children: [Int32] = [1]
  /// The node of the longest proper end of a node's bytes that is in the trie.
  private var links: [Int32] = [0]
  /// The longest token among a node's bytes and their ends: an index into `tokens`, or -1.
  private var longest: [Int32] = [-1]
  private let tokens: [(id: UInt32, byteCount: Int32)]
  /// Children of the root by byte; 0 for none.
  private var firsts = [Int32](repeating: 0, count: 256)

  /// - Parameter texts: different from each other; an empty one is never found.
  init(_ texts: [(text: ArraySlice<UInt8>, id: UInt32)]) {
    let reversed = texts.lazy.filter { !$0.text.isEmpty }.map { (bytes: [UInt8]($0.text.reversed()), id: $0.id) }
      .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    tokens = reversed.map { (id: $0.id, byteCount: Int32($0.bytes.count)) }
    addNodes(reversed.map(\.bytes))
    for node in children(of: 0) { firsts[Int(bytes[Int(node)])] = node }
    for parent in bytes.indices {
      for child in children(of: Int32(parent)) { link(child, of: Int32(parent)) }
    }
  }

  /// The tokens in a text, in its order, none reaching into another.
  func matches(in text: [UInt8]) -> [Match] {
    var found: [(start: Int, token: Int32)] = []
    guard !tokens.isEmpty else { return [] }
    var node: Int32 = 0
    for start in text.indices.reversed() {
      node = next(node, text[start])
      let token = longest[Int(node)]
      if token >= 0 { found.append((start, token)) }
    }
    var matches: [Match] = []
    var end = 0
    for (start, token) in found.reversed() where start >= end {
      let token = tokens[Int(token)]
      end = start + Int(token.byteCount)
      matches.append(Match(token: TokenID(token.id), range: start..<end))
    }
    return matches
  }

  /// The tokens that are found in text whole: user-defined ones, and all with control tokens.
  /// - Throws: when one of them is too long, or all together are.
  static func tries(
    _ texts: VocabularyTexts, _ kinds: [TokenKind]
  ) throws(TokenizationError) -> (user: SpecialTokenTrie, all: SpecialTokenTrie) {
    var all: [(text: ArraySlice<UInt8>, id: UInt32)] = []
    var byteCount = 0
    for (index, kind) in kinds.enumerated() where kind == .userDefined || kind.isSpecial {
      let text = texts[index]
      guard text.count <= TokenizerLimits.specialTokenByteCount else {
        throw TokenizationError(
          .limitExceeded,
          "\(TokenizerKey.tokens)[\(index)] is a special token of \(text.count) bytes; "
            + "at most \(TokenizerLimits.specialTokenByteCount) are looked for in text")
      }
      byteCount += text.count
      guard byteCount <= TokenizerLimits.specialTokensByteCount else {
        throw TokenizationError(
          .limitExceeded,
          "the special tokens of \(TokenizerKey.tokens) have more than \(TokenizerLimits.specialTokensByteCount) bytes "
            + "together, more than are looked for in text; ordinary tokens should have the type 1 (normal)")
      }
      all.append((text, UInt32(index)))
    }
    return (SpecialTokenTrie(all.filter { kinds[Int($0.id)] == .userDefined }), SpecialTokenTrie(all))
  }
}

extension SpecialTokenTrie {
  /// Makes the nodes depth by depth, so that the children of a node are made one after another.
  private mutating func addNodes(_ sorted: [[UInt8]]) {
    /// For each node the tokens whose texts begin with its bytes.
    var ranges = [sorted.indices]
    var (node, depth, endOfDepth) = (0, 0, 1)
    while node < ranges.count {
      if node == endOfDepth { (depth, endOfDepth) = (depth + 1, ranges.count) }
      var rest = ranges[node]
      // Texts differ, so that only the first of the range can end here.
      if let first = rest.first, sorted[first].count == depth {
        longest[node] = Int32(first)
        rest.removeFirst()
      }
      while let first = rest.first {
        let byte = sorted[first][depth]
        let end = rest.first { sorted[$0][depth] != byte } ?? rest.upperBound
        ranges.append(first..<end)
        bytes.append(byte)
        links.append(0)
        longest.append(-1)
        rest = end..<rest.upperBound
      }
      children.append(Int32(ranges.count))
      node += 1
    }
  }

  /// Sets the link of a node, and what it finds by that; the nodes above it must have theirs.
  private mutating func link(_ child: Int32, of parent: Int32) {
    if parent != 0 { links[Int(child)] = next(links[Int(parent)], bytes[Int(child)]) }
    if longest[Int(child)] < 0 { longest[Int(child)] = longest[Int(links[Int(child)])] }
  }

  /// The node of the longest end of what was read, one byte further.
  private func next(_ node: Int32, _ byte: UInt8) -> Int32 {
    var node = node
    while node != 0 {
      if let child = child(of: node, byte) { return child }
      node = links[Int(node)]
    }
    return firsts[Int(byte)]
  }

  private func child(of node: Int32, _ byte: UInt8) -> Int32? {
    var range = children(of: node)
    while let first = range.first {
      let middle = first + Int32(range.count / 2)
      let found = bytes[Int(middle)]
      if found == byte { return middle }
      range = found < byte ? middle + 1..<range.upperBound : first..<middle
    }
    return nil
  }

  private func children(of node: Int32) -> Range<Int32> { children[Int(node)]..<children[Int(node) + 1] }
}
