#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
public import Logging
public import ModelSpec
private import Synchronization
public import Tensors
public import Wire

/// Sends pieces that this worker has to other workers that dial it, on a thread for each connection.
///
/// A connection whose first frame is not a welcome hello, that brings anything but requests, or nothing for
/// `idleTimeout`, is closed.
public final class PieceServer: Sendable {
  /// Fills the memory with the bytes of a piece from an offset on; throws when this worker has no such part, with a
  /// reason that is sent to whoever asks. The offset is the peer's word: check it against the piece.
  public typealias Reader =
    @Sendable (
      _ model: Digest, _ piece: PieceID, _ digest: Digest, _ offset: Int, _ target: UnsafeMutableRawBufferPointer
    ) throws -> Void

  /// Connections at a time; further ones are closed at once.
  public static let connectionLimit = 16
  /// How long a connection may bring nothing, or take nothing.
  public static let idleTimeout = Duration.seconds(60)
  /// How long a connection may take to say who it is.
  public static let helloTimeout = Duration.seconds(5)

  private struct State {
    /// Descriptors of the connections, by their numbers.
    var connections: [UInt64: Int32] = [:]
    var nextConnection: UInt64 = 0
    var isStopped = false
    var counters = TrafficCounters()
  }

  /// What the threads keep, so that the server itself can go away.
  private final class Shared: Sendable {
    let state = Mutex(State())
    let logger: Logger
    let isWelcome: @Sendable (PeerHello) -> Bool
    let read: Reader

    init(logger: Logger, isWelcome: @escaping @Sendable (PeerHello) -> Bool, read: @escaping Reader) {
      self.logger = logger
      self.isWelcome = isWelcome
      self.read = read
    }
  }

  private let shared: Shared

  /// - Parameters:
  ///   - isWelcome: whether a worker that says this may ask; called once for each connection, on its thread.
  ///   - read: called on the threads of the connections, several at a time.
  public init(logger: Logger, isWelcome: @escaping @Sendable (PeerHello) -> Bool, read: @escaping Reader) {
    shared = Shared(logger: logger, isWelcome: isWelcome, read: read)
  }

  deinit { stop() }

  /// Takes accepted sockets over, from any thread; for `Acceptor`.
  public var adopt: SocketHandler { { [shared] in Self.adopt($0, $1, shared) } }

  /// What was sent, in `weightBytes` and `weightFrames`.
  public var counters: TrafficCounters { shared.state.withLock { $0.counters } }

  /// Connections at this moment.
  public var connectionCount: Int { shared.state.withLock { $0.connections.count } }

  /// Closes all connections, and from now on those that come; does not wait for their threads.
  public func stop() {
    shared.state.withLock { state in
      state.isStopped = true
      for descriptor in state.connections.values { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }

  private static func adopt(_ descriptor: Int32, _ remote: String, _ shared: Shared) {
    let number = shared.state.withLock { state -> UInt64? in
      guard !state.isStopped, state.connections.count < connectionLimit else { return nil }
      defer { state.nextConnection += 1 }
      state.connections[state.nextConnection] = descriptor
      return state.nextConnection
    }
    guard let number else {
      shared.logger.info("\(remote) asks for pieces, but too many do already")
      close(descriptor)
      return
    }
    do throws(TransportError) {
      let thread = try PlatformThread {
        do throws(TransportError) { try serve(descriptor, remote, shared) } catch {
          shared.logger.debug("a connection for pieces has ended: \(error)")
        }
        end(number, shared)
      }
      thread.detach()
    } catch {
      shared.logger.warning("\(remote) cannot be served: \(error)")
      end(number, shared)
    }
  }

  /// Closed under the lock, so that `stop` never meets a descriptor that is another's by now.
  private static func end(_ number: UInt64, _ shared: Shared) {
    shared.state.withLock { state in
      if let descriptor = state.connections.removeValue(forKey: number) { close(descriptor) }
    }
  }

  private static func serve(_ descriptor: Int32, _ remote: String, _ shared: Shared) throws(TransportError) {
    let frames = BlockingFrames(descriptor, remote: remote, plane: .pieces, patience: helloTimeout)
    let hello: PeerHello = try frames.receive(until: ContinuousClock.now + helloTimeout) {
      (header, payload) throws(TransportError) in try read(.peerHello, header, payload, remote)
    }
    guard shared.isWelcome(hello) else {
      throw TransportError(
        .wrongPeer, "\(remote) asks as \"\(hello.sender)\" of cluster \(hello.cluster), which is not served")
    }
    frames.setPatience(idleTimeout)
    while true {
      let request: StoredPieceRequest = try frames.receive { (header, payload) throws(TransportError) in
        try read(.storedPieceRequest, header, payload, remote)
      }
      let (bytes, count) = (frames.bytesSent, frames.framesSent)
      try frames.answer(request.piece, offset: request.offset, byteCount: request.byteCount) { target in
        try shared.read(request.model, request.piece, request.digest, request.offset, target)
      }
      let (addedBytes, addedFrames) = (frames.bytesSent - bytes, frames.framesSent - count)
      shared.state.withLock { state in
        state.counters.weightBytes += addedBytes
        state.counters.weightFrames += addedFrames
      }
    }
  }

  private static func read<Message: WireMessage>(
    _ type: FrameType, _ header: FrameHeader, _ payload: UnsafeRawBufferPointer, _ remote: String
  ) throws(TransportError) -> Message {
    guard header.type == type else {
      throw TransportError(.protocolViolation, "\(remote) sent \(header.type) where \(type) was due")
    }
    do throws(WireError) { return try Message(payload: payload) } catch {
      throw TransportError(error, from: remote)
    }
  }
}
