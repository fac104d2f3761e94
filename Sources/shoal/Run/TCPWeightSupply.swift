import Coordinator
import ShardStore
import Synchronization
import Tensors
import Transport
import Wire

/// Serves the model file's pieces over weights connections, one for each worker.
final class TCPWeightSupply: WeightSupply, Sendable {
  private struct State {
    var servers: [NodeID: WeightServer] = [:]
    /// What servers that were stopped have sent.
    var earlier = TrafficCounters()
  }

  private let reader: ModelPieceReader
  private let state = Mutex(State())

  init(_ reader: ModelPieceReader) { self.reader = reader }

  func serve(_ node: NodeID, at address: HostPort) {
    stop(node)
    do throws(TransportError) {
      let server = try WeightServer(
        dial: address, timeout: .seconds(10),
        read: { [reader] piece, offset, target in try reader.read(piece, offset: offset, into: target) },
        ended: { error in
          if let error { Console.error("shoal: weights for \(node): \(error)") }
        })
      state.withLock { $0.servers[node] = server }
    } catch {
      Console.error("shoal: weights for \(node): \(error)")
    }
  }

  func stop(_ node: NodeID) {
    let server = state.withLock { state in
      if let server = state.servers[node] { state.earlier = state.earlier + server.counters }
      return state.servers.removeValue(forKey: node)
    }
    server?.stop()
  }

  func vitals(of node: NodeID) -> LinkVitals? { state.withLock { $0.servers[node] }?.vitals }

  var counters: TrafficCounters {
    state.withLock { state in state.servers.values.reduce(state.earlier) { $0 + $1.counters } }
  }
}
