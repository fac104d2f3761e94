#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
public import Logging
private import Synchronization
public import Wire

/// Takes a connected, non-blocking socket over; whoever is called owns the descriptor and closes it. The text is the
/// peer's address.
public typealias SocketHandler = @Sendable (_ descriptor: Int32, _ remote: String) -> Void

/// One listening port for all planes.
///
/// A thread of its own looks at the 8 bytes each connection begins with, answers with its own 8 bytes and hands the
/// socket to the plane it names. A connection that brings anything else, another version or nothing in time is
/// answered with the own preface and closed, and logged.
public final class Acceptor: Sendable {
  /// Connections whose preface has not come yet; further ones wait in the system's queue.
  public static let pendingLimit = 64
  /// How long a connection may take to send its preface.
  public static let prefaceTimeout = Duration.seconds(5)

  /// Where it listens, with the port the system chose when 0 was asked for.
  public let address: HostPort
  private let listener: Int32
  private let waker = PipeWaker()
  private let isStopped = Atomic<Bool>(false)
  private let thread = Mutex<PlatformThread?>(nil)

  /// Listens and starts to accept.
  /// - Parameter handlers: who takes the connections of each plane; those of a plane that is missing are closed.
  public init(
    listen wanted: HostPort, logger: Logger, handlers: [ConnectionPlane: SocketHandler]
  ) throws(TransportError) {
    listener = try Self.listen(wanted)
    guard let address = SocketAddress.name(of: listener, isPeer: false) else {
      let error = SystemError.last
      close(listener)
      throw TransportError(.system, "\(wanted): \(error)")
    }
    self.address = HostPort(host: wanted.host, port: address.port)
    do throws(TransportError) {
      // The loop keeps nothing but the waker and the descriptor, so that the acceptor itself can go away.
      let loop = AcceptLoop(listener: listener, waker: waker, logger: logger, handlers: handlers)
      let started = try PlatformThread { loop.run() }
      thread.withLock { $0 = started }
    } catch {
      close(listener)
      throw error
    }
  }

  deinit { stop() }

  /// Stops listening; returns when no handler will be called any more. Connections handed over are not touched.
  public func stop() {
    guard !isStopped.exchange(true, ordering: .acquiringAndReleasing) else { return }
    waker.wake()
    thread.withLock { $0.take() }?.join()
  }

  private static func listen(_ wanted: HostPort) throws(TransportError) -> Int32 {
    var failure = TransportError(.badAddress, "cannot listen at \(wanted)")
    for address in try SocketAddress.resolve(wanted, passive: true) {
      let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue), 0)
      guard descriptor >= 0 else {
        failure = TransportError(.system, "cannot listen at \(wanted): \(SystemError.last)")
        continue
      }
      SocketOptions.makeNonBlocking(descriptor)
      SocketOptions.set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
      if address.withSockaddr({ bind(descriptor, $0, $1) }) == 0, SocketOptions.listen(descriptor, backlog: 256) == 0 {
        return descriptor
      }
      failure = TransportError(
        .badAddress, "cannot listen at \(wanted): \(SystemError.last); choose another address or port")
      close(descriptor)
    }
    throw failure
  }
}
