import Coordinator
public import ModelSpec
public import ShardStore
import Synchronization
import Tensors
import Transport
import Wire

/// Stands for the coordinator as a source of pieces: reads them from the model's file, counts them, and spoils those it
/// is told to.
public final class SimulatedWeights: PieceSource {
  private struct State {
    var bytes = 0
    var pieces: [PieceID] = []
    var spoiled: Set<PieceID> = []
  }

  private let file: ModelFileSource
  private let state = Mutex(State())

  init(_ model: SimulatedModel) { file = ModelFileSource(model.reader) }

  public var origin: PieceOrigin { .network }
  public var name: String { "the coordinator" }

  /// Bytes given out.
  public var bytesMoved: Int { state.withLock { $0.bytes } }
  /// The pieces they were of, in order.
  public var piecesMoved: [PieceID] { state.withLock { $0.pieces } }

  /// From now on gives wrong bytes for a piece, or right ones again.
  public func spoil(_ piece: PieceID, _ isSpoiled: Bool = true) {
    state.withLock { state in
      if isSpoiled { state.spoiled.insert(piece) } else { state.spoiled.remove(piece) }
    }
  }

  public func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    guard try file.read(entry, into: buffer) else { return false }
    let isSpoiled = state.withLock { state in
      state.bytes += buffer.count
      state.pieces.append(entry.id)
      return state.spoiled.contains(entry.id)
    }
    if isSpoiled, !buffer.isEmpty { buffer[buffer.count / 2] ^= 1 }
    return true
  }
}

/// Weights do not pass the coordinator's shell in a simulation.
struct NoWeightSupply: WeightSupply {
  func serve(_ node: NodeID, at address: HostPort) {}
  func stop(_ node: NodeID) {}
  var counters: TrafficCounters { TrafficCounters() }
}
