#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// An address as the system's calls take it.
struct SocketAddress: Sendable {
  /// The bytes of a `sockaddr`.
  private let bytes: [UInt8]
  let family: Int32

  /// Addresses of a host and port; numbers are read at once, names are looked up, which may take time.
  static func resolve(_ address: HostPort, passive: Bool = false) throws(TransportError) -> [SocketAddress] {
    let flags = passive ? AI_PASSIVE : 0
    var found = list(address, AI_NUMERICHOST | flags)
    if found.isEmpty { found = list(address, flags) }
    guard found.isEmpty else { return found }
    throw TransportError(.badAddress, "no machine is known by the name of \"\(address.host)\": check the address")
  }

  /// The address of a host given in numbers, at once; nil for a name.
  static func numeric(_ address: HostPort) -> SocketAddress? { list(address, AI_NUMERICHOST).first }

  private static func list(_ address: HostPort, _ flags: Int32) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = flags | AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(address.host, String(address.port), &hints, &list) == 0 else { return [] }
    defer { if let list { freeaddrinfo(list) } }
    var result: [SocketAddress] = []
    var next = list
    while let info = next?.pointee {
      if let pointer = info.ai_addr { result.append(SocketAddress(pointer, info.ai_addrlen)) }
      next = info.ai_next
    }
    return result
  }

  private init(_ pointer: UnsafePointer<sockaddr>, _ length: socklen_t) {
    bytes = Array(UnsafeRawBufferPointer(start: pointer, count: Int(length)))
    family = Int32(pointer.pointee.sa_family)
  }

  /// Lends the address to a system call.
  func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var storage = sockaddr_storage()
    return withUnsafeMutablePointer(to: &storage) { storage in
      let raw = UnsafeMutableRawBufferPointer(start: storage, count: MemoryLayout<sockaddr_storage>.size)
      raw.copyBytes(from: bytes.prefix(raw.count))
      return storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(bytes.count)) }
    }
  }

  /// Host and port of one side of a socket, in numbers; nil when the socket has none.
  static func name(of descriptor: Int32, isPeer: Bool) -> HostPort? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        let status = isPeer ? getpeername(descriptor, address, &length) : getsockname(descriptor, address, &length)
        return status == 0 ? hostPort(address, length) : nil
      }
    }
  }

  private static func hostPort(_ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> HostPort? {
    var host = [CChar](repeating: 0, count: 256)
    var port = [CChar](repeating: 0, count: 16)
    let flags = NI_NUMERICHOST | NI_NUMERICSERV
    guard getnameinfo(address, length, &host, socklen_t(host.count), &port, socklen_t(port.count), flags) == 0
    else { return nil }
    return host.withUnsafeBufferPointer { host in
      port.withUnsafeBufferPointer { port in
        guard let hostBase = host.baseAddress, let portBase = port.baseAddress else { return nil }
        guard let number = UInt16(String(cString: portBase)) else { return nil }
        return HostPort(host: String(cString: hostBase), port: number)
      }
    }
  }
}
