import ModelGraph
import ModelSpec
import ShardStore
import Synchronization
public import Tensors
public import Wire

/// The pieces of weights that this worker has in memory, for other workers that ask for them; read from their threads.
public final class PieceShelf: Sendable {
  private let pieces = Mutex<[Digest: HeldPiece]>([:])
  private let cluster = Mutex<ClusterID?>(nil)

  public init() {}

  /// The cluster that the worker serves; nil while it serves none.
  func serve(_ cluster: ClusterID?) { self.cluster.withLock { $0 = cluster } }

  /// Whether somebody who asks belongs to the cluster that the worker serves.
  public func welcomes(_ hello: PeerHello) -> Bool { cluster.withLock { $0 } == hello.cluster }

  /// What is there from now on.
  func put(_ held: some Sequence<HeldPiece>) {
    let new = Dictionary(held.map { ($0.digest, $0) }) { first, _ in first }
    pieces.withLock { $0 = new }
  }

  /// Fills the memory with the bytes of a piece, as they stand in the model's file, from an offset on.
  /// - Returns: false when the piece is not here, or is shorter.
  public func read(_ digest: Digest, offset: Int, into target: UnsafeMutableRawBufferPointer) -> Bool {
    guard let held = pieces.withLock({ $0[digest] }) else { return false }
    let layout = held.piece.layout
    guard offset >= 0, target.count <= layout.byteCount, offset <= layout.byteCount - target.count else { return false }
    // The memory is given back with the piece, which may leave the shelf meanwhile.
    withExtendedLifetime(held) {
      if let base = target.baseAddress { held.piece.copyBytes(offset..<offset + target.count, to: base) }
    }
    return true
  }
}
