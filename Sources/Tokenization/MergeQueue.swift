/// A binary heap of merges that could be applied: the lowest rank first, of equal ranks the leftmost position.
struct MergeQueue {
  /// Rank in the upper 24 bits, position in the lower 40: comparing the numbers compares the entries.
  struct Entry {
    fileprivate let key: UInt64

    /// - Parameters:
    ///   - rank: below 2^24, which `TokenizerLimits.mergeCount` sees to.
    ///   - position: below 2^40, more than memory holds.
    init(rank: UInt32, position: Int) { key = UInt64(rank) << 40 | UInt64(position) }
    fileprivate init(key: UInt64) { self.key = key }

    var rank: UInt32 { UInt32(key >> 40) }
    var position: Int { Int(key & (1 << 40 - 1)) }
  }

  private var keys: [UInt64] = []

  mutating func removeAll() { keys.removeAll(keepingCapacity: true) }

  mutating func insert(_ entry: Entry) {
    keys.append(entry.key)
    var index = keys.count - 1
    while index > 0 {
      let parent = (index - 1) / 2
      guard keys[parent] > entry.key else { break }
      keys[index] = keys[parent]
      index = parent
    }
    keys[index] = entry.key
  }

  mutating func removeFirst() -> Entry? {
    guard let first = keys.first, let last = keys.popLast() else { return nil }
    let count = keys.count
    guard count > 0 else { return Entry(key: first) }
    var index = 0
    while true {
      var child = 2 * index + 1
      guard child < count else { break }
      if child + 1 < count, keys[child + 1] < keys[child] { child += 1 }
      guard keys[child] < last else { break }
      keys[index] = keys[child]
      index = child
    }
    keys[index] = last
    return Entry(key: first)
  }
}
