#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
public import ModelSpec
private import Synchronization
public import Wire

/// The coordinator's side of a weights connection: dials a worker, then sends it what it asks for, on a thread of its
/// own.
public final class WeightServer: Sendable {
  /// Fills the memory with the bytes of a piece from an offset on; throws when there is no such part.
  public typealias Reader =
    @Sendable (_ piece: PieceID, _ offset: Int, _ target: UnsafeMutableRawBufferPointer) throws
    -> Void
  /// A worker that is busy with loading may be silent for long.
  private static let patience = Duration.seconds(24 * 3600)

  private struct State {
    var descriptor: Int32?
    var isStopped = false
    var thread: PlatformThread?
    var counters = TrafficCounters()
  }

  private final class Shared: Sendable {
    let state = Mutex(State())
  }

  private let shared = Shared()

  /// Starts to dial, and tries again until the timeout.
  /// - Parameters:
  ///   - read: called on the server's thread.
  ///   - ended: called once on that thread when the connection cannot be made or has ended; without an error after
  ///     `stop`.
  public init(
    dial address: HostPort, timeout: Duration, read: @escaping Reader,
    ended: @escaping @Sendable (TransportError?) -> Void
  ) throws(TransportError) {
    let shared = shared
    let deadline = ContinuousClock.now + timeout
    let thread = try PlatformThread {
      var failure: TransportError?
      do throws(TransportError) { try Self.run(shared, address, deadline, read) } catch { failure = error }
      let isStopped = shared.state.withLock { state in
        if let descriptor = state.descriptor.take() { close(descriptor) }
        return state.isStopped
      }
      ended(isStopped ? nil : failure)
    }
    shared.state.withLock { $0.thread = thread }
  }

  deinit { stop() }

  /// What was sent, in `weightBytes` and `weightFrames`.
  public var counters: TrafficCounters { shared.state.withLock { $0.counters } }

  /// What the connection has carried, as the system says at this moment; nil while there is none.
  public var vitals: LinkVitals? {
    shared.state.withLock { state in
      guard let descriptor = state.descriptor, let info = TCPInfo(of: descriptor) else { return nil }
      return LinkVitals(
        bytesReceived: info.received, bytesAcknowledged: info.acknowledged, bytesPending: info.pending)
    }
  }

  /// Closes the connection; does not wait for the thread.
  public func stop() {
    let thread = shared.state.withLock { state -> PlatformThread? in
      state.isStopped = true
      if let descriptor = state.descriptor { shutdown(descriptor, Int32(SHUT_RDWR)) }
      return state.thread.take()
    }
    thread?.detach()
  }

  private static func run(
    _ shared: Shared, _ address: HostPort, _ deadline: ContinuousClock.Instant, _ read: Reader
  ) throws(TransportError) {
    let descriptor = try Dialer.connect(to: address, until: deadline)
    let isWanted = shared.state.withLock { state in
      state.descriptor = descriptor
      return !state.isStopped
    }
    guard isWanted else { return }
    let frames = BlockingFrames(
      descriptor, remote: "\(address)", patience: max(deadline - ContinuousClock.now, .seconds(1)))
    try frames.greet()
    frames.setPatience(patience)
    while true {
      let request = try frames.receive { (header, payload) throws(TransportError) in
        try readRequest(header, payload, address)
      }
      try frames.answer(request.piece, offset: request.offset, byteCount: request.byteCount) { target in
        try read(request.piece, request.offset, target)
      }
      let (bytes, count) = (frames.bytesSent, frames.framesSent)
      shared.state.withLock { state in
        state.counters.weightBytes = bytes
        state.counters.weightFrames = count
      }
    }
  }

  private static func readRequest(
    _ header: FrameHeader, _ payload: UnsafeRawBufferPointer, _ address: HostPort
  ) throws(TransportError) -> PieceRequest {
    do throws(WireError) {
      guard header.type == .pieceRequest else {
        throw WireError(.unknownType, "\(header.type) is no request for a piece", offset: 6)
      }
      return try PieceRequest(payload: payload)
    } catch {
      throw TransportError(error, from: "\(address)")
    }
  }
}
