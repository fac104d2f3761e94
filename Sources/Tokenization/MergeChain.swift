/// What byte-pair encoding asks of a vocabulary: whether two neighbouring symbols may be joined.
protocol MergeRule {
  /// The join of two symbols that together stand for `range` of the piece; nil when there is none.
  func merge(of left: UInt32, _ right: UInt32, standingFor range: Range<Int>, in piece: [UInt8]) -> Merge?
}

/// A join of two symbols.
struct Merge {
  /// Joins of lower rank come first, those of equal rank from the left; below 2^24.
  let rank: UInt32
  /// The symbol that comes of it.
  let token: UInt32
}

/// Byte-pair encoding of one piece of text: the symbols it is made of are joined in pairs, again and again the pair whose
/// merge has the lowest rank, of equals the leftmost.
///
/// Pairs wait in a priority queue, so that a piece of n symbols takes n log n steps, however long a word is. The memory is
/// used again for every piece.
struct MergeChain {
  /// A symbol stands at the first of its bytes; joined into its left neighbour it stays in its place, out of the chain.
  private struct Symbol {
    var token: UInt32
    /// Rank and result of the merge with the next symbol; `noRank` when there is none, or this symbol was joined to
    /// another.
    var rank: UInt32
    var joined: UInt32
    var previous: Int
    var next: Int
  }

  /// The rank of a pair that no merge joins.
  private static let noRank = UInt32.max

  private var symbols: [Symbol] = []
  private var queue = MergeQueue()
  private var last = 0

  /// Begins a piece.
  mutating func restart() {
    symbols.removeAll(keepingCapacity: true)
    queue.removeAll()
    last = -1
  }

  /// Adds the next symbol, of at least one byte.
  mutating func append(_ token: UInt32, byteCount: Int) {
    let start = symbols.count
    let symbol = Symbol(token: token, rank: Self.noRank, joined: 0, previous: last, next: start + byteCount)
    for _ in 0..<byteCount { symbols.append(symbol) }
    last = start
  }

  /// Joins all that can be joined.
  /// - Parameter piece: the bytes of the symbols, as many as were appended.
  mutating func join(by rule: some MergeRule, in piece: [UInt8]) {
    symbols.withUnsafeMutableBufferPointer { symbols in
      var index = 0
      while index < symbols.count {
        Self.lookUp(index, symbols, &queue, rule, piece)
        index = symbols[index].next
      }
      while let entry = queue.removeFirst() {
        // An entry whose pair has changed since is stale: the new pair has an entry of its own.
        guard symbols[entry.position].rank == entry.rank else { continue }
        Self.joinWithNext(entry.position, symbols)
        Self.lookUp(entry.position, symbols, &queue, rule, piece)
        let previous = symbols[entry.position].previous
        if previous >= 0 { Self.lookUp(previous, symbols, &queue, rule, piece) }
      }
    }
  }

  /// Calls `body` with each symbol that is left, and the bytes it stands for.
  func forEach(_ body: (_ token: UInt32, _ range: Range<Int>) -> Void) {
    var index = 0
    while index < symbols.count {
      body(symbols[index].token, index..<symbols[index].next)
      index = symbols[index].next
    }
  }

  /// Finds the merge of a symbol with its next one and queues it.
  private static func lookUp(
    _ index: Int, _ symbols: UnsafeMutableBufferPointer<Symbol>, _ queue: inout MergeQueue,
    _ rule: some MergeRule, _ piece: [UInt8]
  ) {
    let next = symbols[index].next
    guard next < symbols.count,
      let merge = rule.merge(
        of: symbols[index].token, symbols[next].token, standingFor: index..<symbols[next].next, in: piece)
    else {
      symbols[index].rank = noRank
      return
    }
    symbols[index].rank = merge.rank
    symbols[index].joined = merge.token
    queue.insert(MergeQueue.Entry(rank: merge.rank, position: index))
  }

  private static func joinWithNext(_ index: Int, _ symbols: UnsafeMutableBufferPointer<Symbol>) {
    let right = symbols[index].next
    let next = symbols[right].next
    symbols[index].token = symbols[index].joined
    symbols[index].next = next
    symbols[right].rank = noRank
    if next < symbols.count { symbols[next].previous = index }
  }
}
