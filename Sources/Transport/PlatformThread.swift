#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A thread of the system's that runs one closure.
final class PlatformThread: Sendable {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private let handle: pthread_t

  /// Starts at once.
  init(_ run: @escaping @Sendable () -> Void) throws(TransportError) {
    let body = Unmanaged.passRetained(Body(run))
    var handle = pthread_t()
    let status = pthread_create(
      &handle, nil,
      { raw in
        if let raw { Unmanaged<Body>.fromOpaque(raw).takeRetainedValue().run() }
        return nil
      }, body.toOpaque())
    guard status == 0 else {
      body.release()
      throw TransportError(.system, "cannot start a thread: \(SystemError(number: status))")
    }
    self.handle = handle
  }

  /// Waits for the closure to end; call once, or `detach`.
  func join() { pthread_join(handle, nil) }

  /// Lets the thread clean up after itself.
  func detach() { pthread_detach(handle) }
}
