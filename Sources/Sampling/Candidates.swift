/// The tokens that may be drawn, handed out from the highest logit down; of equal logits the lower token id comes first.
///
/// A binary heap, so that a few of a large vocabulary are found without sorting it. Its memory is used again.
struct Candidates {
  struct Candidate {
    let token: Int
    let logit: Float
  }

  /// Maximum heap of keys: the upper half orders as the logit does, the lower is the complement of the token id.
  private var keys: [UInt64] = []

  /// Takes tokens whose logits are not minus infinity.
  /// - Parameter limit: number of highest to take; 0 for all.
  mutating func collect(_ logits: UnsafeBufferPointer<Float>, limit: Int) {
    keys.removeAll(keepingCapacity: true)
    guard limit > 0, limit < logits.count else {
      keys.reserveCapacity(logits.count)
      for token in logits.indices where logits[token] > -.infinity { keys.append(Self.key(logits[token], token)) }
      buildHeap()
      return
    }
    // The keys are kept as complements until all are seen: the worst of those taken is then at the top.
    keys.reserveCapacity(limit)
    LogitScan.forEach(above: -.infinity, in: logits) { token in
      let key = ~Self.key(logits[token], token)
      if keys.count < limit {
        keys.append(key)
        guard keys.count == limit else { return -.infinity }
        buildHeap()
      } else {
        keys[0] = key
        sink(0)
      }
      return Self.candidate(~keys[0]).logit
    }
    for index in keys.indices { keys[index] = ~keys[index] }
    buildHeap()
  }

  /// The best that is left; nil when none is.
  mutating func removeBest() -> Candidate? {
    guard let best = keys.first, let last = keys.popLast() else { return nil }
    if !keys.isEmpty {
      keys[0] = last
      sink(0)
    }
    return Self.candidate(best)
  }

  private mutating func buildHeap() {
    for index in stride(from: keys.count / 2 - 1, through: 0, by: -1) { sink(index) }
  }

  /// Moves a key down until none below it is greater.
  private mutating func sink(_ start: Int) {
    keys.withUnsafeMutableBufferPointer { keys in
      let key = keys[start]
      var index = start
      while true {
        var child = 2 * index + 1
        guard child < keys.count else { break }
        if child + 1 < keys.count, keys[child + 1] > keys[child] { child += 1 }
        guard keys[child] > key else { break }
        keys[index] = keys[child]
        index = child
      }
      keys[index] = key
    }
  }

  private static func key(_ logit: Float, _ token: Int) -> UInt64 {
    // Adding zero makes the two zeros one.
    let bits = (logit + 0).bitPattern
    let ordered = bits >> 31 == 1 ? ~bits : bits | 0x8000_0000
    return UInt64(ordered) << 32 | UInt64(~UInt32(truncatingIfNeeded: token))
  }

  private static func candidate(_ key: UInt64) -> Candidate {
    let ordered = UInt32(key >> 32)
    let bits = ordered >> 31 == 1 ? ordered & 0x7FFF_FFFF : ~ordered
    return Candidate(token: Int(~UInt32(truncatingIfNeeded: key)), logit: Float(bitPattern: bits))
  }
}
