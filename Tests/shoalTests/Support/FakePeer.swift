import Foundation
import Synchronization

/// Somebody on the network who does not behave: a listener that answers every connection with the same bytes, or a
/// caller that sends some.
final class FakePeer: Sendable {
  let port: UInt16
  private let listener: Int32
  private let connections = Mutex<[Int32]>([])

  /// Listens on a free port of loopback.
  /// - Parameter reply: sent at once to whoever connects; the connection then stays open.
  init(reply: [UInt8]) throws {
    (listener, port) = try Self.listen()
    Thread.detachNewThread { [self] in
      while true {
        let descriptor = accept(listener, nil, nil)
        guard descriptor >= 0 else { return }
        _ = Glibc.send(descriptor, reply, reply.count, Int32(MSG_NOSIGNAL))
        connections.withLock { $0.append(descriptor) }
      }
    }
  }

  var address: String { "127.0.0.1:\(port)" }

  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
    connections.withLock { descriptors in
      for descriptor in descriptors { close(descriptor) }
      descriptors = []
    }
  }

  private static func listen() throws -> (Int32, UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { base in
        bind(descriptor, base, length) | Glibc.listen(descriptor, 16) | getsockname(descriptor, base, &length)
      }
    }
    guard descriptor >= 0, status == 0 else { throw RunningShoal.Failure("no port is free") }
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }

  private static func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }

  /// Connects, sends bytes, and goes away.
  static func send(_ address: String, _ bytes: [UInt8]) throws { close(try connect(address, bytes)) }

  /// Connects, sends bytes, and reads until the other side closes the connection or says nothing more for ten seconds.
  /// - Returns: whether the other side closed it.
  static func call(_ address: String, _ bytes: [UInt8]) throws -> Bool {
    let descriptor = try connect(address, bytes)
    defer { close(descriptor) }
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count == 0 || (count < 0 && errno == ECONNRESET) { return true }
      if count < 0 { return false }
    }
  }

  private static func connect(_ address: String, _ bytes: [UInt8]) throws -> Int32 {
    guard let port = address.split(separator: ":").last.flatMap({ UInt16($0) }) else {
      throw RunningShoal.Failure("no port in \(address)")
    }
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var target = loopback(port: port)
    let status = withUnsafeMutablePointer(to: &target) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else {
      close(descriptor)
      throw RunningShoal.Failure("nobody listens at \(address)")
    }
    _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    return descriptor
  }
}
