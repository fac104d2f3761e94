/// The pieces of a store.
public struct StoreSource: PieceSource {
  /// The store that is read.
  public let store: ShardStore

  /// - Parameter store: the store to read.
  public init(_ store: ShardStore) { self.store = store }

  public var origin: PieceOrigin { .store }
  public var name: String { "the store \(store.directory)" }

  /// As `ShardStore.read(_:into:arrived:)`.
  public func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    try read(entry, into: buffer) { _ in }
  }

  /// As `ShardStore.read(_:into:arrived:)`; a piece of the wrong size is removed.
  public func read(
    _ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer, arrived: (Int) -> Void
  ) throws -> Bool {
    do throws(ShardStoreError) {
      return try store.read(entry, into: buffer, arrived: arrived)
    } catch {
      if error.code == .damagedPiece { reject(entry) }
      throw error
    }
  }

  /// Removes the piece, so that a good one can take its place.
  public func reject(_ entry: PieceEntry) {
    do throws(ShardStoreError) {
      try store.removeDamaged(entry)
    } catch {
      store.warning("a damaged piece stays in the store: \(error)")
    }
  }
}
