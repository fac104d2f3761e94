import Synchronization
public import Tensors

extension ShardStore {
  /// Keeps pieces from being evicted or pruned by this process until `unpin(_:)` was called as often for them.
  /// They need not be there yet: a worker pins its share of the model before it loads it. Without that, a share larger
  /// than the budget would evict its own beginning and find nothing at the next start.
  public func pin(_ digests: some Sequence<Digest>) {
    state.withLock { state in
      for digest in digests { state.pins[digest, default: 0] += 1 }
    }
  }

  /// Takes back one `pin(_:)` of each piece.
  public func unpin(_ digests: some Sequence<Digest>) {
    state.withLock { state in
      for digest in digests {
        let count = state.pins[digest] ?? 0
        precondition(count > 0, "unpinned a piece that is not pinned")
        state.pins[digest] = count == 1 ? nil : count - 1
      }
    }
  }

  /// All pieces in the store, the one used least recently first.
  public func list() -> [StoredPiece] {
    var pieces: [StoredPiece] = []
    for folder in subfolders {
      for name in Files.names(in: folder) {
        guard folder.hasSuffix("/" + name.prefix(2)), let digest = Digest(hexadecimal: name),
          let status = Files.status(folder + "/" + name)
        else { continue }
        pieces.append(StoredPiece(digest: digest, byteCount: status.byteCount, lastUsed: status.modified))
      }
    }
    // Names were read in order, so among equal times the order is that of the digests.
    return pieces.sorted { $0.lastUsed < $1.lastUsed }
  }

  /// Removes all pieces but those to keep and those pinned.
  /// - Returns: what was removed.
  /// - Throws: `notWritable` or `io` at the first that cannot be removed.
  @discardableResult public func prune(keeping kept: Set<Digest>) throws(ShardStoreError) -> [StoredPiece] {
    let pinned = state.withLock { Set($0.pins.keys) }
    var removed: [StoredPiece] = []
    for piece in list() where !kept.contains(piece.digest) && !pinned.contains(piece.digest) {
      try remove(piece.digest)
      removed.append(piece)
    }
    return removed
  }

  /// Makes room for a piece that is about to be written.
  ///
  /// The folder is looked through only when this value has reason to believe that the budget is reached, or has
  /// inserted a sixteenth of it since the last look. So a set of processes that fill one folder together can pass the
  /// budget by a sixteenth for each of them, and a store of ten thousand pieces is not read for every insert.
  func reserve(_ entry: PieceEntry) throws(ShardStoreError) {
    let result = state.withLock { state -> Result<Void, ShardStoreError> in
      do throws(ShardStoreError) {
        if let budget { try makeRoom(for: entry, budget: budget, &state) }
        state.reservedBytes += entry.byteCount
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try result.get()
  }

  private func makeRoom(for entry: PieceEntry, budget: Int, _ state: inout State) throws(ShardStoreError) {
    let wanted = state.reservedBytes + entry.byteCount
    if let scanned = state.scannedBytes, scanned + state.insertedBytes <= budget - wanted,
      state.insertedBytes <= budget / 16
    {
      return
    }
    let pieces = list()
    var bytes = pieces.reduce(0) { $0 + $1.byteCount }
    let free = pieces.filter { state.pins[$0.digest] == nil }
    let inUse = bytes - free.reduce(0) { $0 + $1.byteCount }
    guard inUse <= budget - wanted else {
      throw ShardStoreError(
        .overBudget,
        "the \(entry.id) with \(entry.byteCount) bytes does not fit the budget of \(budget) bytes beside "
          + "\(inUse + state.reservedBytes) bytes in use; raise the budget or remove it", path: directory)
    }
    defer {
      state.scannedBytes = bytes
      state.insertedBytes = 0
    }
    for piece in free where bytes > budget - wanted {
      try remove(piece.digest)
      bytes -= piece.byteCount
    }
  }
}
