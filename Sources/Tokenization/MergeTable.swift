import Tensors

/// The merges of byte-pair encoding: which pair of tokens becomes which token, and how early.
///
/// The pairs of one left token lie together, sorted by the right token, so that a pair is found by binary search: a file
/// cannot choose its pairs such that finding one becomes slow, as it could with a hash table.
struct MergeTable: Sendable, MergeRule {
  private struct Entry {
    let right: UInt32
    let rank: UInt32
  }

  /// Where the pairs of each left token begin in `entries`; one more than tokens.
  private let starts: [UInt32]
  private let entries: [Entry]
  /// The token that each rank makes.
  private let results: [UInt32]

  /// The merge of two tokens, its rank the place in the list.
  func merge(of left: UInt32, _ right: UInt32, standingFor range: Range<Int>, in piece: [UInt8]) -> Merge? {
    var low = Int(starts[Int(left)])
    var high = Int(starts[Int(left) + 1])
    while low < high {
      let middle = (low + high) / 2
      let entry = entries[middle]
      if entry.right == right { return Merge(rank: entry.rank, token: results[Int(entry.rank)]) }
      if entry.right < right { low = middle + 1 } else { high = middle }
    }
    return nil
  }

  /// - Parameters:
  ///   - merges: pairs of token texts with a space between, as in the file. Of equal pairs the first counts.
  ///   - texts: the vocabulary.
  /// - Throws: when a merge is not a pair or names a token that the vocabulary lacks, or there are too many.
  init(_ merges: [String], texts: VocabularyTexts) throws(TokenizationError) {
    guard merges.count <= TokenizerLimits.mergeCount else {
      throw TokenizationError(
        .limitExceeded,
        "\(TokenizerKey.merges) holds \(merges.count) merges; at most \(TokenizerLimits.mergeCount) are read")
    }
    var pairs: [Pair] = []
    pairs.reserveCapacity(merges.count)
    var results: [UInt32] = []
    results.reserveCapacity(merges.count)
    for (rank, merge) in merges.enumerated() {
      let (left, right, result) = try Self.tokens(of: merge, rank: rank, texts)
      pairs.append(Pair(key: UInt64(left) << 32 | UInt64(right), rank: UInt32(rank)))
      results.append(result)
    }
    pairs.sort()
    var starts = [UInt32](repeating: 0, count: texts.count + 1)
    var entries: [Entry] = []
    entries.reserveCapacity(pairs.count)
    var last: UInt64?
    for pair in pairs where pair.key != last {
      entries.append(Entry(right: UInt32(truncatingIfNeeded: pair.key), rank: pair.rank))
      starts[Int(pair.key >> 32) + 1] += 1
      last = pair.key
    }
    for index in 1..<starts.count { starts[index] += starts[index - 1] }
    self.starts = starts
    self.entries = entries
    self.results = results
  }

  /// A merge on its way into the table: left token in the upper half of the key, right token in the lower.
  private struct Pair: Comparable {
    let key: UInt64
    let rank: UInt32

    static func < (left: Self, right: Self) -> Bool {
      left.key != right.key ? left.key < right.key : left.rank < right.rank
    }
  }

  /// The two tokens of a merge as it stands in the file, and the token it makes.
  private static func tokens(
    of merge: String, rank: Int, _ texts: VocabularyTexts
  ) throws(TokenizationError) -> (left: UInt32, right: UInt32, result: UInt32) {
    var bytes = Array(merge.utf8)
    // The first byte belongs to the left token even if it is a space.
    guard let space = bytes.dropFirst().firstIndex(of: 0x20), space + 1 < bytes.count else {
      throw TokenizationError(
        .badVocabulary,
        "\(TokenizerKey.merges)[\(rank)] is \(quoted(merge)); it must be two tokens with a space between")
    }
    let left = texts.id(of: bytes[..<space])
    let right = texts.id(of: bytes[(space + 1)...])
    bytes.remove(at: space)
    guard let left, let right, let result = texts.id(of: bytes) else {
      throw TokenizationError(
        .badVocabulary,
        "\(TokenizerKey.merges)[\(rank)], \(quoted(merge)), names or makes a token that \(TokenizerKey.tokens) lacks")
    }
    return (left, right, result)
  }
}
