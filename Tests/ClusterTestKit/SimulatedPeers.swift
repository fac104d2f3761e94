import ModelSpec
import ShardStore
import Synchronization
import Tensors
import Worker

/// Where workers find each other's pieces in a simulation.
final class SimulatedPeers: Sendable {
  private struct State {
    var shelves: [NodeID: PieceShelf] = [:]
    var bytes = 0
  }

  private let state = Mutex(State())

  /// Bytes that workers gave each other.
  var bytesMoved: Int { state.withLock { $0.bytes } }

  func set(_ node: NodeID, _ shelf: PieceShelf) { state.withLock { $0.shelves[node] = shelf } }

  func shelf(of node: NodeID) -> PieceShelf? { state.withLock { $0.shelves[node] } }
  func count(_ bytes: Int) { state.withLock { $0.bytes += bytes } }
}

/// Another worker as a source of pieces.
struct SimulatedPeerSource: PieceSource {
  private let pieces: PeerPieces
  private let peers: SimulatedPeers

  init(_ pieces: PeerPieces, _ peers: SimulatedPeers) {
    self.pieces = pieces
    self.peers = peers
  }

  var origin: PieceOrigin { .network }
  var name: String { "another worker" }

  func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    guard let holder = pieces.holders[entry.id], let shelf = peers.shelf(of: holder.node),
      shelf.read(entry.digest, offset: 0, into: buffer)
    else { return false }
    peers.count(buffer.count)
    return true
  }
}
