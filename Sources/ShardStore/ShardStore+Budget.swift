import Synchronization
import Tensors

extension ShardStore {
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
    var scan = PinScan(folder: pinFolder, skipping: pinName)
    var bytes = pieces.reduce(0) { $0 + $1.byteCount }
    let free = pieces.filter { state.pins[$0.digest] == nil && !scan.contains($0.digest) }
    let inUse = bytes - free.reduce(0) { $0 + $1.byteCount }
    let most = budget - wanted
    guard inUse <= most else { throw overBudget(entry, budget, inUse + state.reservedBytes) }
    defer {
      state.scannedBytes = bytes
      state.insertedBytes = 0
    }
    for piece in free where bytes > most {
      if try removeUnused(piece, &scan, isPinnedHere: false) != .kept { bytes -= piece.byteCount }
    }
    // Some of them came into use meanwhile.
    guard bytes <= most else { throw overBudget(entry, budget, bytes + state.reservedBytes) }
  }

  private func overBudget(_ entry: PieceEntry, _ budget: Int, _ inUse: Int) -> ShardStoreError {
    ShardStoreError(
      .overBudget,
      "the \(entry.id) with \(entry.byteCount) bytes does not fit the budget of \(budget) bytes beside "
        + "\(inUse) bytes in use; raise the budget or remove it", path: directory)
  }

  /// Removes a piece unless it is in use, here or by another process that says so even now.
  func removeUnused(
    _ piece: StoredPiece, _ scan: inout PinScan, isPinnedHere: @autoclosure () -> Bool
  ) throws(ShardStoreError) -> Files.Removal {
    let place = place(piece.digest)
    return try Files.remove(place.name, in: place.folder) { _ in
      if isPinnedHere() { return true }
      scan.refresh()
      return scan.contains(piece.digest)
    }
  }
}
