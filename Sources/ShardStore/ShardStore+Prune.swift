import Synchronization
public import Tensors

extension ShardStore {
  /// Removes all pieces but those to keep and those in use, here or by another process.
  /// - Returns: what was removed.
  /// - Throws: `notWritable` or `io` at the first that cannot be removed.
  @discardableResult public func prune(keeping kept: Set<Digest>) throws(ShardStoreError) -> [StoredPiece] {
    var scan = PinScan(folder: pinFolder, skipping: pinName)
    var removed: [StoredPiece] = []
    for piece in list() where !kept.contains(piece.digest) {
      if try prune(piece, &scan, isDryRun: false) == .removed { removed.append(piece) }
    }
    return removed
  }

  /// Removes pieces, but none in use, here or by another process.
  /// - Parameter isDryRun: only say what would be removed.
  /// - Throws: `notWritable` or `io` at the first that cannot be removed.
  public func prune(_ goal: PruneGoal, isDryRun: Bool = false) throws(ShardStoreError) -> PruneOutcome {
    var scan = PinScan(folder: pinFolder, skipping: pinName)
    let pieces = list()
    var bytes = pieces.reduce(0) { $0 + $1.byteCount }
    var outcome = PruneOutcome()
    for piece in pieces {
      let hasToGo =
        switch goal {
        case .all: true
        case .atMost(let most): bytes > most
        case .unused(let since): piece.lastUsed < since
        }
      guard hasToGo else {
        outcome.remaining.add(piece)
        continue
      }
      switch try prune(piece, &scan, isDryRun: isDryRun) {
      case .removed:
        outcome.removed.add(piece)
        bytes -= piece.byteCount
      case .gone: bytes -= piece.byteCount
      case .kept:
        outcome.keptInUse.add(piece)
        outcome.remaining.add(piece)
      }
    }
    return outcome
  }

  private func prune(
    _ piece: StoredPiece, _ scan: inout PinScan, isDryRun: Bool
  ) throws(ShardStoreError) -> Files.Removal {
    if isPinned(piece.digest) || scan.contains(piece.digest) { return .kept }
    return isDryRun ? .removed : try removeUnused(piece, &scan, isPinnedHere: isPinned(piece.digest))
  }

  private func isPinned(_ digest: Digest) -> Bool { state.withLock { $0.pins[digest] != nil } }
}
