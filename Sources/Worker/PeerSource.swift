import Cluster
public import ModelSpec
public import ShardStore
private import Synchronization
public import Tensors
public import Transport
import Wire

/// Which pieces of a share other workers have in memory, and how those are asked.
public struct PeerPieces: Sendable {
  /// The model that the pieces are of.
  public let model: Digest
  /// As whom to greet them.
  public let identity: DataIdentity
  /// For each piece that somebody has: who that is.
  public let holders: [PieceID: Holder]

  /// Another worker.
  public struct Holder: Sendable, Hashable {
    public let node: NodeID
    public let address: HostPort
  }

  /// As an order of the coordinator names them; nodes whose address is none are left out.
  init(_ order: Prepare, as identity: DataIdentity) {
    model = order.model
    self.identity = identity
    var holders: [PieceID: Holder] = [:]
    for piece in order.pieces {
      guard let index = piece.holder, let address = try? HostPort(parsing: order.addresses[index.rawValue]) else {
        continue
      }
      holders[piece.piece] = Holder(node: order.placement.nodes[index.rawValue], address: address)
    }
    self.holders = holders
  }
}

/// Pieces from other workers, over the network.
public final class PeerSource: PieceSource {
  private let pieces: PeerPieces
  /// Connections by holder; nil for one that has failed and is asked no more.
  private let clients = Mutex<[PeerPieces.Holder: PieceClient?]>([:])

  /// How long a worker may take to answer.
  private static let timeout = Duration.seconds(5)

  public init(_ pieces: PeerPieces) { self.pieces = pieces }

  public var origin: PieceOrigin { .network }
  public var name: String { "another worker" }

  /// Asks the worker that has the piece; one that fails once is asked no more, and the next source has its turn.
  public func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    guard let holder = pieces.holders[entry.id], let client = try client(of: holder) else { return false }
    do throws(TransportError) {
      try client.read(model: pieces.model, piece: entry.id, digest: entry.digest, into: buffer)
      return true
    } catch {
      // What a worker has given up meanwhile is no reason to ask it for nothing else.
      if error.code != .refused { clients.withLock { $0[holder] = .some(nil) } }
      throw error
    }
  }

  private func client(of holder: PeerPieces.Holder) throws(TransportError) -> PieceClient? {
    if let known = clients.withLock({ $0[holder] }) { return known }
    let hello = PeerHello(
      cluster: pieces.identity.cluster, term: pieces.identity.term, sender: pieces.identity.node, receiver: holder.node)
    do throws(TransportError) {
      let client = try PieceClient(dial: holder.address, as: hello, timeout: Self.timeout)
      clients.withLock { $0[holder] = client }
      return client
    } catch {
      clients.withLock { $0[holder] = .some(nil) }
      throw error
    }
  }
}
