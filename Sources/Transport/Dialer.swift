#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Makes TCP connections without waiting.
enum Dialer {
  /// A non-blocking socket that is connecting, or connected.
  static func begin(_ address: SocketAddress, to name: HostPort) throws(TransportError) -> Int32 {
    let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw TransportError(.system, "no socket for \(name): \(SystemError.last)") }
    SocketOptions.makeNonBlocking(descriptor)
    SocketOptions.tune(descriptor)
    let status = address.withSockaddr { systemConnect(descriptor, $0, $1) }
    let error = SystemError.last
    guard status == 0 || error.isInProgress || error.isInterrupt else {
      close(descriptor)
      throw TransportError(.unreachable, "cannot reach \(name): \(error)")
    }
    return descriptor
  }

  /// How an attempt went whose socket has become writable or has failed; nil when it is connected.
  static func error(of descriptor: Int32, to name: HostPort) -> TransportError? {
    var status: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &status, &length) == 0 else {
      return TransportError(.system, "\(name): \(SystemError.last)")
    }
    return status == 0 ? nil : TransportError(.unreachable, "cannot reach \(name): \(SystemError(number: status))")
  }

  /// A connected socket; waits until the deadline. The socket is non-blocking.
  /// - Parameter isPatient: whether to try again when nobody answers; else each address is tried once.
  static func connect(
    to name: HostPort, until deadline: ContinuousClock.Instant, isPatient: Bool = true
  ) throws(TransportError) -> Int32 {
    let addresses = try SocketAddress.resolve(name)
    var attempt = 0
    while true {
      let failure: TransportError
      do throws(TransportError) {
        let descriptor = try begin(addresses[attempt % addresses.count], to: name)
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        let ready = poll(&waiting, 1, Deadline.milliseconds(until: deadline))
        let error =
          ready > 0
          ? error(of: descriptor, to: name) : TransportError(.timedOut, "\(name) did not answer in time")
        guard let error else { return descriptor }
        close(descriptor)
        failure = error
      } catch {
        failure = error
      }
      attempt += 1
      let next = ContinuousClock.now + DataLimits.redialInterval
      guard next < deadline, isPatient || attempt < addresses.count else { throw failure }
      poll(nil, 0, Deadline.milliseconds(until: next))
    }
  }
}

private func systemConnect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
  connect(descriptor, address, length)
}
