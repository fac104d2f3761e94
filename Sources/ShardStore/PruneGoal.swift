/// Which pieces are to be removed from a store.
public enum PruneGoal: Sendable, Hashable {
  /// All of them.
  case all
  /// Those used least recently, until the pieces have at most so many bytes.
  case atMost(bytes: Int)
  /// Those not used since that time, in nanoseconds since 1970.
  case unused(since: Int64)
}

/// What pruning did, or would do.
public struct PruneOutcome: Sendable, Hashable {
  /// Some pieces.
  public struct Tally: Sendable, Hashable {
    /// How many.
    public private(set) var count = 0
    /// Their bytes together.
    public private(set) var byteCount = 0

    /// No pieces.
    public init() {}

    mutating func add(_ piece: StoredPiece) {
      count += 1
      byteCount += piece.byteCount
    }
  }

  /// Pieces that were removed.
  public internal(set) var removed = Tally()
  /// Pieces that had to go, but are in use.
  public internal(set) var keptInUse = Tally()
  /// All pieces that are there afterwards.
  public internal(set) var remaining = Tally()

  /// That of a store with nothing in it.
  public init() {}
}
