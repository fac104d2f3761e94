import Tensors

/// Byte-level byte-pair encoding of one piece of text: begins with a token for each byte and joins, again and again, the
/// leftmost of the pairs whose merge stands first in the list.
///
/// Pairs wait in a priority queue, so that a piece of n bytes takes n log n steps, however long a word is.
struct BytePairEncoder: Sendable {
  /// The tokens of the 256 bytes; 0 for the few that UTF-8 never uses when the vocabulary lacks them.
  private let byteTokens: [UInt32]
  private let merges: MergeTable

  /// - Throws: when a byte that occurs in UTF-8 has no token: some text could not be expressed.
  init(texts: VocabularyTexts, merges: [String]) throws(TokenizationError) {
    var byteTokens = [UInt32](repeating: 0, count: 256)
    for byte in UInt8.min...UInt8.max {
      if let token = texts.id(of: ByteAlphabet.utf8(of: byte)) {
        byteTokens[Int(byte)] = token
      } else if ByteAlphabet.isUsedByUTF8(byte) {
        throw TokenizationError(
          .badVocabulary,
          "\(TokenizerKey.tokens) lacks a token for the byte \(byte); a byte-level vocabulary must hold every byte of UTF-8"
        )
      }
    }
    self.byteTokens = byteTokens
    self.merges = try MergeTable(merges, texts: texts)
  }

  /// Memory that is used again for every piece of a text.
  struct Scratch {
    fileprivate var symbols: [Symbol] = []
    fileprivate var queue = MergeQueue()
  }

  /// A token of the piece on its way; joined into its left neighbour it stays in its place, out of the chain.
  fileprivate struct Symbol {
    var token: UInt32
    /// Rank of the merge with the next symbol; `noRank` when there is none, or this symbol was joined to another.
    var rank: UInt32
    var previous: Int
    var next: Int
  }

  /// Appends the tokens of a piece, which must be bytes of UTF-8.
  func encode(_ piece: [UInt8], scratch: inout Scratch, into tokens: inout [TokenID]) {
    let count = piece.count
    guard count > 1 else {
      if let byte = piece.first { tokens.append(TokenID(byteTokens[Int(byte)])) }
      return
    }
    scratch.symbols.removeAll(keepingCapacity: true)
    scratch.queue.removeAll()
    var token = byteTokens[Int(piece[0])]
    for index in 0..<count {
      let following = index + 1 < count ? byteTokens[Int(piece[index + 1])] : 0
      let rank = index + 1 < count ? merges.rank(token, following) : MergeTable.noRank
      scratch.symbols.append(Symbol(token: token, rank: rank, previous: index - 1, next: index + 1))
      if rank != MergeTable.noRank { scratch.queue.insert(MergeQueue.Entry(rank: rank, position: index)) }
      token = following
    }
    scratch.symbols.withUnsafeMutableBufferPointer { symbols in
      while let entry = scratch.queue.removeFirst() {
        // An entry whose pair has changed since is stale: the new pair has an entry of its own.
        guard symbols[entry.position].rank == entry.rank else { continue }
        join(entry, symbols, &scratch.queue)
      }
      var index = 0
      while index < count {
        tokens.append(TokenID(symbols[index].token))
        index = symbols[index].next
      }
    }
  }

  /// Joins the symbol of an entry with its next one and queues the two pairs that this makes.
  private func join(
    _ entry: MergeQueue.Entry, _ symbols: UnsafeMutableBufferPointer<Symbol>, _ queue: inout MergeQueue
  ) {
    let left = entry.position
    let right = symbols[left].next
    let next = symbols[right].next
    let token = merges.result(ofRank: entry.rank)
    symbols[left].token = token
    symbols[left].next = next
    symbols[left].rank = MergeTable.noRank
    symbols[right].rank = MergeTable.noRank
    if next < symbols.count {
      symbols[next].previous = left
      let rank = merges.rank(token, symbols[next].token)
      symbols[left].rank = rank
      if rank != MergeTable.noRank { queue.insert(MergeQueue.Entry(rank: rank, position: left)) }
    }
    let previous = symbols[left].previous
    if previous >= 0 {
      let rank = merges.rank(symbols[previous].token, token)
      symbols[previous].rank = rank
      if rank != MergeTable.noRank { queue.insert(MergeQueue.Entry(rank: rank, position: previous)) }
    }
  }
}
