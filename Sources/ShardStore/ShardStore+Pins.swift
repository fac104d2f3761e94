import Synchronization
public import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

extension ShardStore {
  /// Keeps pieces from being evicted or pruned, by this process or another one that shares the folder, until
  /// `unpin(_:)` was called as often for them or the process ends. They need not be there yet: a worker pins its share
  /// of the model before it loads it. Without that, a share larger than the budget would evict its own beginning and
  /// find nothing at the next start.
  ///
  /// Pin first, then look whether a piece is there. A piece that is found then stays; one that another process takes
  /// away in that very moment is not found, and comes back or is fetched again.
  ///
  /// In a folder that cannot be written to, pieces are kept from this process only, without an error.
  public func pin(_ digests: some Sequence<Digest>) {
    let problem = state.withLock { state in
      var isChanged = !state.arePinsTold
      for digest in digests {
        let count = state.pins[digest] ?? 0
        if count == 0 { isChanged = true }
        state.pins[digest] = count + 1
      }
      return isChanged ? tellPins(&state) : nil
    }
    warn(ofUntold: problem)
  }

  /// Takes back one `pin(_:)` of each piece.
  public func unpin(_ digests: some Sequence<Digest>) {
    let problem = state.withLock { state in
      var isChanged = !state.arePinsTold
      for digest in digests {
        let count = state.pins[digest] ?? 0
        precondition(count > 0, "unpinned a piece that is not pinned")
        if count == 1 { isChanged = true }
        state.pins[digest] = count == 1 ? nil : count - 1
      }
      return isChanged ? tellPins(&state) : nil
    }
    warn(ofUntold: problem)
  }

  /// Tells other processes the pins once more if the file that tells them was deleted.
  func restorePins() {
    let problem = state.withLock { state in
      state.pins.isEmpty || Files.status(pinPath) != nil ? nil : tellPins(&state)
    }
    warn(ofUntold: problem)
  }

  /// Removes the file that tells other processes the pins, as at the end of this value.
  func withdrawPins(_ state: inout State) {
    guard state.pinFile != nil else { return }
    // Its name goes first: a file with a name and a free lock is that of a process which is gone.
    unlink(pinPath)
    state.pinFile = nil
  }

  private var pinPath: String { pinFolder + "/" + pinName }

  /// Writes the file anew. The old one stays locked until the new one, locked too, has its name.
  /// - Returns: why that failed; nil also when the folder may not be written to.
  private func tellPins(_ state: inout State) -> ShardStoreError? {
    guard !state.pins.isEmpty else {
      withdrawPins(&state)
      state.arePinsTold = true
      return nil
    }
    let problem = PinList(Set(state.pins.keys)).encoded().withUnsafeBytes { bytes -> ShardStoreError? in
      do throws(ShardStoreError) {
        try Files.makeFolder(pinFolder)
        state.pinFile = try Files.publish(bytes, as: pinName, in: pinFolder, isDurable: false)
        return nil
      } catch {
        return error
      }
    }
    state.arePinsTold = problem == nil
    return problem?.code == .notWritable ? nil : problem
  }

  private func warn(ofUntold problem: ShardStoreError?) {
    guard let problem else { return }
    let isFirst = state.withLock { state in
      defer { state.hasWarnedOfPins = true }
      return !state.hasWarnedOfPins
    }
    if isFirst { warning("other processes cannot be told which pieces are in use here: \(problem)") }
  }
}
