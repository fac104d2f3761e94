public import ShardStore
private import Synchronization
public import Transport
public import Wire

/// The connections on which the coordinator sends weights: the newest counts, older ones are kept for the case that a
/// stranger has made the newest.
///
/// The coordinator dials them; whoever loads waits for one.
public final class WeightConnection: Sendable {
  private struct State {
    /// The newest last.
    var clients: [WeightClient] = []
    /// What clients that are gone have sent.
    var earlier = TrafficCounters()

    mutating func remove(_ client: WeightClient) {
      guard let index = clients.firstIndex(where: { $0 === client }) else { return }
      clients.remove(at: index)
      earlier = earlier + client.counters
      client.close()
    }
  }

  /// Connections that are kept.
  private static let clientLimit = 4

  private let state = Mutex(State())
  private let waker = PipeWaker()
  private let timeout: Duration

  /// - Parameter timeout: how long a loader waits for a connection.
  public init(timeout: Duration = .seconds(10)) { self.timeout = timeout }

  /// Takes an accepted weights connection over.
  public var adopt: SocketHandler {
    { [self] descriptor, remote in
      let client = WeightClient(descriptor: descriptor, remote: remote)
      state.withLock { state in
        state.clients.append(client)
        if state.clients.count > Self.clientLimit { state.remove(state.clients[0]) }
      }
      waker.wake()
    }
  }

  /// What was sent on all of them, in `weightBytes` and `weightFrames`.
  public var counters: TrafficCounters {
    state.withLock { state in state.clients.reduce(state.earlier) { $0 + $1.counters } }
  }

  /// The newest connection, or the next one.
  /// - Throws: `WorkerError` when none comes in time.
  func client() throws -> WeightClient {
    let deadline = ContinuousClock.now + timeout
    while true {
      if let client = state.withLock({ $0.clients.last }) { return client }
      guard waker.wait(until: deadline) else {
        throw WorkerError(.badShare, "the coordinator made no weights connection within \(timeout)")
      }
    }
  }

  /// Forgets a connection that is of no use any more.
  func discard(_ client: WeightClient) { state.withLock { $0.remove(client) } }
}

/// Pieces from the coordinator, over the network.
public struct CoordinatorSource: PieceSource {
  private let connection: WeightConnection

  public init(_ connection: WeightConnection) { self.connection = connection }

  public var origin: PieceOrigin { .network }
  public var name: String { "the coordinator" }

  public func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    var failure: TransportError?
    // Connections of an earlier coordinator, or of a stranger, fail; the right one may be older, or still to come.
    for _ in 0..<Self.attempts {
      let client: WeightClient
      do { client = try connection.client() } catch { throw failure ?? error }
      do throws(TransportError) {
        try client.read(entry.id, into: buffer)
        return true
      } catch {
        if error.code == .refused { throw error }
        connection.discard(client)
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
    return false
  }

  private static let attempts = 8
}
