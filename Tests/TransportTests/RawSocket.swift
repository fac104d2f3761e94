import Glibc
import Transport

/// A blocking TCP socket for tests that play a peer by hand.
final class RawSocket: Sendable {
  let descriptor: Int32

  init(descriptor: Int32) {
    self.descriptor = descriptor
    limitWaiting()
  }

  /// Connects to a port of this machine.
  init(port: UInt16) throws {
    descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw Unexpected(event: "connect failed with \(errno)") }
    limitWaiting()
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
  }

  deinit { Glibc.close(descriptor) }

  private func limitWaiting() {
    var time = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  /// Ends the sending side.
  func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Closes with a reset instead of a farewell once the descriptor goes.
  func resetOnClose() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
  }

  /// - Returns: false when the peer takes no more.
  @discardableResult
  func write(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// Up to `count` bytes; fewer when the peer has closed.
  func read(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var got = 0
    while got < count {
      let part = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress.map { $0 + got }, count - got, 0) }
      guard part > 0 else { break }
      got += part
    }
    return Array(bytes.prefix(got))
  }

  /// Whether the peer has closed; waits for it.
  func isAtEnd() -> Bool {
    var byte: UInt8 = 0
    while true {
      let count = recv(descriptor, &byte, 1, 0)
      if count == 0 { return true }
      if count < 0 { return errno == ECONNRESET }
    }
  }
}

/// A listener on any port of this machine, for tests that play the accepting side by hand.
final class RawListener: Sendable {
  private let descriptor: Int32
  let port: UInt16

  init() throws {
    descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(descriptor, $0, length) + Glibc.listen(descriptor, 64) + getsockname(descriptor, $0, &length)
      }
    }
    guard status == 0 else { throw Unexpected(event: "listen failed with \(errno)") }
    port = UInt16(bigEndian: address.sin_port)
  }

  deinit { Glibc.close(descriptor) }

  var address: HostPort { HostPort(host: "127.0.0.1", port: port) }

  func accept() -> RawSocket { RawSocket(descriptor: Glibc.accept(descriptor, nil, nil)) }
}
