import Transport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The address by which other machines reach this one.
enum OutwardAddress {
  /// The local address that packets towards a peer would leave from. Nothing is sent: a datagram socket is only bound
  /// to a route.
  static func host(towards peer: HostPort) throws -> String {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(peer.host, "\(peer.port)", &hints, &list) == 0, let first = list else {
      throw InputError(.unavailable, "the host of \(peer) is not known; is the name right?")
    }
    defer { freeaddrinfo(list) }
    let descriptor = socket(first.pointee.ai_family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw InputError(.unavailable, "no socket: \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let name = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { base -> String? in
        guard connect(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0,
          getsockname(descriptor, base, &length) == 0
        else { return nil }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(base, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else { return nil }
        return text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } }
      }
    }
    guard let name else { throw InputError(.unavailable, "there is no route to \(peer)") }
    return name
  }
}
