import Glibc
import Logging
import Synchronization
import Testing
import Transport
import Wire

@Suite struct AcceptorTests {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  private static let here = HostPort(host: "127.0.0.1", port: 0)

  private let taken = Mailbox<(ConnectionPlane, RawSocket)>(capacity: 1000)
  private let acceptor: Acceptor

  init() throws {
    let taken = taken
    var handlers: [ConnectionPlane: SocketHandler] = [:]
    for plane in [ConnectionPlane.control, .data] {
      handlers[plane] = { descriptor, _ in taken.post((plane, RawSocket(descriptor: descriptor))) }
    }
    acceptor = try Acceptor(listen: Self.here, logger: Self.quiet, handlers: handlers)
  }

  private func next() throws -> (ConnectionPlane, RawSocket) {
    taken.wait(until: ContinuousClock.now + .seconds(20))
    return try #require(taken.take())
  }

  private static let own = ConnectionPreface(plane: .control).bytes

  @Test("each plane's connections are handed to its handler after both prefaces")
  func planes() throws {
    #expect(acceptor.address.port != 0)
    for plane in [ConnectionPlane.data, .control, .data] {
      let socket = try RawSocket(port: acceptor.address.port)
      socket.write(ConnectionPreface(plane: plane).bytes)
      #expect(socket.read(8) == ConnectionPreface(plane: plane).bytes)
      let (found, accepted) = try next()
      #expect(found == plane)
      accepted.write([7])
      #expect(socket.read(1) == [7])
    }
  }

  @Test("a preface that comes byte by byte, and one with frames right behind it, lose nothing")
  func dripFeed() throws {
    let socket = try RawSocket(port: acceptor.address.port)
    for byte in ConnectionPreface(plane: .data).bytes { socket.write([byte]) }
    #expect(socket.read(8) == ConnectionPreface(plane: .data).bytes)
    _ = try next()
    let eager = try RawSocket(port: acceptor.address.port)
    eager.write(ConnectionPreface(plane: .data).bytes + [1, 2, 3])
    let (_, accepted) = try next()
    #expect(fcntl(accepted.descriptor, F_SETFL, 0) == 0)
    #expect(accepted.read(3) == [1, 2, 3])
  }

  @Test("garbage is answered with the own preface and the connection closed; others are served on")
  func garbage() throws {
    for garbage in [Array("GET / HTTP/1.1\r\n\r\n".utf8), [0], [UInt8](repeating: 0xFF, count: 100_000)] {
      let socket = try RawSocket(port: acceptor.address.port)
      socket.write(garbage)
      socket.finish()
      #expect(socket.read(8) == Self.own || garbage.count < 4)
      #expect(socket.isAtEnd())
    }
    try planes()
  }

  @Test("a stranger that goes on sending is cut off")
  func flood() throws {
    let socket = try RawSocket(port: acceptor.address.port)
    let sender = TestThread {
      var chunks = 0
      while socket.write([UInt8](repeating: 0x55, count: 4096)) { chunks += 1 }
      return chunks
    }
    #expect(try sender.value() > 0)
  }

  @Test("another version, an unknown plane and a plane nobody serves are answered and closed")
  func refused() throws {
    let unknown = Array("SHOL".utf8) + [2, 0, 9, 0]
    for (bytes, answer) in [
      (ConnectionPreface(plane: .data, version: 1).bytes, ConnectionPlane.data), (unknown, .control),
      (ConnectionPreface(plane: .weights).bytes, .weights),
    ] {
      let socket = try RawSocket(port: acceptor.address.port)
      socket.write(bytes)
      #expect(socket.read(8) == ConnectionPreface(plane: answer).bytes)
      #expect(socket.isAtEnd())
    }
  }

  @Test("more silent connections than may wait do not keep it from those that speak")
  func silent() throws {
    let silent = try (0..<Acceptor.pendingLimit - 1).map { _ in try RawSocket(port: acceptor.address.port) }
    try planes()
    #expect(silent.count == Acceptor.pendingLimit - 1)
  }

  @Test("a port in use is refused with what to do; a stopped acceptor gives it back")
  func portInUse() throws {
    let port = HostPort(host: "127.0.0.1", port: acceptor.address.port)
    let error = #expect(throws: TransportError.self) {
      try Acceptor(listen: port, logger: Self.quiet, handlers: [:])
    }
    #expect(error?.code == .badAddress && error?.message.contains("choose another") == true)
    acceptor.stop()
    let again = try Acceptor(listen: port, logger: Self.quiet, handlers: [:])
    #expect(again.address.port == port.port)
    again.stop()
  }
}
