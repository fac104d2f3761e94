import ModelSpec
import ShardStore
import Synchronization

/// The shard store of a worker's machine, in memory: it outlives the process.
final class SimulatedStore: PieceSource {
  private let file: ModelFileSource
  private let pieces = Mutex<Set<PieceID>>([])

  init(_ model: SimulatedModel) { file = ModelFileSource(model.reader) }

  var origin: PieceOrigin { .store }
  var name: String { "the simulated store" }

  func keep(_ piece: PieceID) { pieces.withLock { _ = $0.insert(piece) } }

  func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    guard pieces.withLock({ $0.contains(entry.id) }) else { return false }
    return try file.read(entry, into: buffer)
  }
}

/// A source whose pieces are kept in a store.
struct StoringSource: PieceSource {
  private let source: any PieceSource
  private let store: SimulatedStore

  init(_ source: any PieceSource, _ store: SimulatedStore) {
    self.source = source
    self.store = store
  }

  var origin: PieceOrigin { source.origin }
  var name: String { source.name }

  func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    guard try source.read(entry, into: buffer) else { return false }
    store.keep(entry.id)
    return true
  }
}
