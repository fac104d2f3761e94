#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A thread of the system's that runs one closure, for loops that block.
public final class PlatformThread: Sendable {
  private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  private let handle: pthread_t

  /// Starts at once.
  /// - Parameter run: may capture what nobody else uses any more.
  /// - Throws: `TransportError` when the system has no thread left.
  public init(_ run: sending @escaping () -> Void) throws(TransportError) {
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
  public func join() { pthread_join(handle, nil) }

  /// Lets the thread clean up after itself.
  public func detach() { pthread_detach(handle) }
}
