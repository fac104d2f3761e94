public import ShardStore
private import Synchronization
public import Transport
public import Wire

/// The connection on which the coordinator sends weights: the newest one it has made.
///
/// The coordinator dials it; whoever loads waits for it.
public final class WeightConnection: Sendable {
  private struct State {
    var client: WeightClient?
    /// What clients that were replaced have sent.
    var earlier = TrafficCounters()
  }

  private let state = Mutex(State())
  private let waker = PipeWaker()
  private let timeout: Duration

  /// - Parameter timeout: how long a loader waits for a connection.
  public init(timeout: Duration = .seconds(30)) { self.timeout = timeout }

  /// Takes an accepted weights connection over; an older one is closed.
  public var adopt: SocketHandler {
    { [self] descriptor, remote in
      let client = WeightClient(descriptor: descriptor, remote: remote)
      let old = state.withLock { state in
        defer { state.client = client }
        if let old = state.client { state.earlier = state.earlier + old.counters }
        return state.client
      }
      old?.close()
      waker.wake()
    }
  }

  /// What was sent on all of them, in `weightBytes` and `weightFrames`.
  public var counters: TrafficCounters {
    state.withLock { state in state.earlier + (state.client?.counters ?? TrafficCounters()) }
  }

  /// The connection there is, or the next one.
  /// - Throws: `WorkerError` when none comes in time.
  func client() throws -> WeightClient {
    let deadline = ContinuousClock.now + timeout
    while true {
      if let client = state.withLock({ $0.client }) { return client }
      guard waker.wait(until: deadline) else {
        throw WorkerError(.badShare, "the coordinator made no weights connection within \(timeout)")
      }
    }
  }

  /// Forgets a connection that is of no use any more.
  func discard(_ client: WeightClient) {
    state.withLock { state in
      guard state.client === client else { return }
      state.earlier = state.earlier + client.counters
      state.client = nil
    }
  }
}

/// Pieces from the coordinator, over the network.
public struct CoordinatorSource: PieceSource {
  private let connection: WeightConnection

  public init(_ connection: WeightConnection) { self.connection = connection }

  public var origin: PieceOrigin { .network }
  public var name: String { "the coordinator" }

  public func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    let client = try connection.client()
    do throws(TransportError) {
      try client.read(entry.id, into: buffer)
      return true
    } catch {
      guard error.code != .refused else { throw error }
      connection.discard(client)
    }
    // It may have been an earlier coordinator's connection; this one's is on its way.
    let next = try connection.client()
    do throws(TransportError) {
      try next.read(entry.id, into: buffer)
      return true
    } catch {
      if error.code != .refused { connection.discard(next) }
      throw error
    }
  }
}
