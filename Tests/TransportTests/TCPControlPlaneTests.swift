import Glibc
import Logging
import Tensors
import Testing
import Transport
import Wire

@Suite struct TCPControlPlaneTests {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private let here = EventLog()
  private let there = EventLog()
  private let coordinator: TCPControlPlane
  private let worker: TCPControlPlane
  private let acceptor: Acceptor

  init() throws {
    coordinator = TCPControlPlane(logger: Self.quiet, sink: here.sink)
    let worker = TCPControlPlane(logger: Self.quiet, sink: there.sink)
    self.worker = worker
    acceptor = try Acceptor(
      listen: HostPort(host: "127.0.0.1", port: 0), logger: Self.quiet,
      handlers: [.control: { worker.adopt($0, remote: $1) }])
  }

  private func connect() throws -> (LinkID, LinkID) {
    let link = coordinator.dial(acceptor.address, timeout: .seconds(20))
    #expect(try here.opened() == link)
    return (link, try there.opened())
  }

  private func stop() async {
    acceptor.stop()
    await coordinator.stop()
    await worker.stop()
  }

  @Test("messages go both ways, in order, those sent before the link stands included")
  func messages() async throws {
    let near = coordinator.dial(acceptor.address, timeout: .seconds(20))
    for nonce in 0..<50 { coordinator.send(.ping(UInt64(nonce)), on: near) }
    #expect(try here.opened() == near)
    let far = try there.opened()
    for nonce in 50..<100 { coordinator.send(.ping(UInt64(nonce)), on: near) }
    for nonce in 0..<100 {
      let (link, header, message) = try there.received()
      #expect(link == far && message == .ping(UInt64(nonce)) && header.term.rawValue == 1)
      worker.send(message, on: far)
    }
    for nonce in 0..<100 { #expect(try here.received().2 == .ping(UInt64(nonce))) }
    #expect(coordinator.counters.controlFrames == 100 && coordinator.counters.controlBytes == 6800)
    await stop()
  }

  @Test("a message of many megabytes arrives whole")
  func large() async throws {
    let (near, _) = try connect()
    let values = (0..<3_000_000).map { Float($0) }
    let message = ControlMessage.logits(PromptLogits(job: 1, position: 0, rows: 3, values: values))
    coordinator.send(message, on: near)
    coordinator.send(.ping(1), on: near)
    #expect(try there.received().2 == message)
    #expect(try there.received().2 == .ping(1))
    await stop()
  }

  @Test("what was sent before a close arrives before it")
  func close() async throws {
    let (near, far) = try connect()
    for nonce in 0..<20 { coordinator.send(.ping(UInt64(nonce)), on: near) }
    coordinator.close(near)
    for nonce in 0..<20 { #expect(try there.received().2 == .ping(UInt64(nonce))) }
    let (link, error) = try there.closed()
    #expect(link == far && error?.code == .closed)
    #expect(try here.closed() == (near, nil))
    await stop()
    #expect(here.isEmpty && there.isEmpty)
  }

  @Test("a dial to a port where nobody listens is closed with its address")
  func unreachable() async throws {
    acceptor.stop()
    let link = coordinator.dial(acceptor.address, timeout: .seconds(20))
    let (closed, error) = try here.closed()
    #expect(closed == link && error?.code == .unreachable)
    #expect(error?.message.contains("\(acceptor.address)") == true)
    await stop()
  }

  @Test("a listener that never says who it is runs into the timeout")
  func silent() async throws {
    let listener = try RawListener()
    let link = coordinator.dial(listener.address, timeout: .seconds(3))
    let (closed, error) = try here.closed()
    #expect(closed == link && error?.code == .timedOut)
    await stop()
  }

  @Test("another version is reported with both numbers, to the dialer too")
  func version() async throws {
    let listener = try RawListener()
    let link = coordinator.dial(listener.address, timeout: .seconds(20))
    let socket = listener.accept()
    #expect(socket.read(8) == ConnectionPreface(plane: .control).bytes)
    socket.write(ConnectionPreface(plane: .control, version: 8).bytes)
    let (closed, error) = try here.closed()
    #expect(closed == link && error?.code == .versionMismatch)
    #expect(error?.message.contains("version 8") == true && error?.message.contains("version 4") == true)
    await stop()
  }

  @Test("a peer that sends garbage is closed; other links live on")
  func garbage() async throws {
    let (near, far) = try connect()
    var forged = try ControlMessage.shutdown.frame(
      epoch: PlacementEpoch(rawValue: 1), term: CoordinatorTerm(rawValue: 1))
    forged[24] = 1
    for bytes in [[UInt8](repeating: 0x41, count: 100), forged] {
      let socket = try RawSocket(port: acceptor.address.port)
      socket.write(ConnectionPreface(plane: .control).bytes + bytes)
      let opened = try there.opened()
      let (closed, error) = try there.closed()
      #expect(closed == opened && error?.code == .protocolViolation)
    }
    coordinator.send(.ping(1), on: near)
    #expect(try there.received().0 == far)
    await stop()
  }

  @Test("a frame that comes byte by byte is one message; a peer that goes in the middle of one is closed")
  func slowSender() async throws {
    let frame = try ControlMessage.ping(5).frame(
      epoch: PlacementEpoch(rawValue: 1), term: CoordinatorTerm(rawValue: 1))
    let socket = try RawSocket(port: acceptor.address.port)
    socket.write(ConnectionPreface(plane: .control).bytes)
    let link = try there.opened()
    for byte in frame { socket.write([byte]) }
    #expect(try there.received().2 == .ping(5))
    socket.write(Array(frame.prefix(50)))
    socket.finish()
    let (closed, error) = try there.closed()
    #expect(closed == link && error?.code == .closed)
    await stop()
  }

  @Test("a peer that is killed is closed")
  func reset() async throws {
    var socket: RawSocket? = try RawSocket(port: acceptor.address.port)
    socket?.write(ConnectionPreface(plane: .control).bytes)
    #expect(socket?.read(8).count == 8)
    let link = try there.opened()
    socket?.resetOnClose()
    socket = nil
    let (closed, error) = try there.closed()
    #expect(closed == link && error?.code == .closed)
    await stop()
  }

  @Test("a peer that does not read is closed once too much waits for it")
  func backlog() async throws {
    let socket = try RawSocket(port: acceptor.address.port)
    socket.write(ConnectionPreface(plane: .control).bytes)
    let link = try there.opened()
    let values = [Float](repeating: 0, count: 4 << 20)
    let message = ControlMessage.logits(PromptLogits(job: 1, position: 0, rows: 1, values: values))
    for _ in 0..<16 { worker.send(message, on: link) }
    let (closed, error) = try there.closed()
    #expect(closed == link && error?.code == .backlog)
    #expect(socket.descriptor >= 0)
    await stop()
  }

  @Test("a plane with a pulse answers pings itself, under their epoch and term, and gives its sink the rest")
  func pulse() async throws {
    let pulse = Pulse()
    for _ in 0..<7 { pulse.beat() }
    pulse.isWorking = true
    let log = EventLog()
    let beating = TCPControlPlane(logger: Self.quiet, pulse: pulse, sink: log.sink)
    let door = try Acceptor(
      listen: HostPort(host: "127.0.0.1", port: 0), logger: Self.quiet,
      handlers: [.control: { beating.adopt($0, remote: $1) }])
    let link = coordinator.dial(door.address, timeout: .seconds(20))
    let (epoch, term) = (PlacementEpoch(rawValue: 8), CoordinatorTerm(rawValue: 9))
    for nonce: UInt64 in 1...3 { coordinator.send(.ping(nonce), epoch: epoch, term: term, on: link) }
    coordinator.send(.shutdown, on: link)
    #expect(try here.opened() == link)
    for nonce: UInt64 in 1...3 {
      let (_, header, message) = try here.received()
      #expect(message == .pong(Heartbeat(nonce: nonce, progress: 7, isWorking: true)))
      #expect(header.epoch == epoch && header.term == term)
    }
    _ = try log.opened()
    #expect(try log.received().2 == .shutdown)
    #expect(log.isEmpty)
    // Without a pulse, pings go to the sink.
    let (near, _) = try connect()
    coordinator.send(.ping(4), on: near)
    #expect(try there.received().2 == .ping(4))
    door.stop()
    await beating.stop()
    await stop()
  }

  /// Asks for the vitals until they are as they should be.
  private func vitals(
    of link: LinkID, _ plane: TCPControlPlane, until condition: (LinkVitals) -> Bool
  ) throws -> LinkVitals {
    let limit = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < limit {
      let vitals = try #require(plane.vitals(of: link))
      if condition(vitals) { return vitals }
      sched_yield()
    }
    throw Unexpected(event: "\(String(describing: plane.vitals(of: link)))")
  }

  @Test("a link knows what has arrived, in parts of frames too, and what the peer's system has")
  func vitals() async throws {
    let socket = try RawSocket(port: acceptor.address.port)
    socket.write(ConnectionPreface(plane: .control).bytes)
    let link = try there.opened()
    #expect(try vitals(of: link, worker) { $0.bytesPending == 0 }.bytesReceived == 0)
    let frame = try ControlMessage.ping(5).frame(
      epoch: PlacementEpoch(rawValue: 1), term: CoordinatorTerm(rawValue: 1))
    socket.write(Array(frame.prefix(20)))
    _ = try vitals(of: link, worker) { $0.bytesReceived == 20 }
    socket.write(Array(frame.dropFirst(20)))
    _ = try there.received()
    #expect(worker.vitals(of: link)?.bytesReceived == UInt64(frame.count))
    // More than the buffers hold, to a peer that reads nothing at first.
    let values = [Float](repeating: 0, count: 4 << 20)
    worker.send(.logits(PromptLogits(job: 1, position: 0, rows: 1, values: values)), on: link)
    let before = try vitals(of: link, worker) { $0.bytesAcknowledged > 0 && $0.bytesPending > 0 }
    #expect(before.bytesPending <= 17 << 20)
    let total = FrameHeader.byteCount + 20 + 16 << 20
    #expect(socket.read(8 + total / 2).count == 8 + total / 2)
    let later = try vitals(of: link, worker) { $0.bytesAcknowledged > before.bytesAcknowledged }
    #expect(later.bytesReceived == before.bytesReceived)
    let rest = FrameHeader.byteCount + 20 + (16 << 20) - total / 2
    #expect(socket.read(rest).count == rest)
    let end = try vitals(of: link, worker) { $0.bytesPending == 0 }
    #expect(end.bytesAcknowledged >= UInt64(16 << 20))
    worker.close(link)
    _ = try there.closed()
    #expect(worker.vitals(of: link) == nil)
    await stop()
  }

  @Test("many links at once keep their messages apart")
  func manyLinks() async throws {
    let links = (0..<40).map { _ in coordinator.dial(acceptor.address, timeout: .seconds(20)) }
    for link in links {
      for nonce in 0..<10 { coordinator.send(.ping(link.rawValue * 100 + UInt64(nonce)), on: link) }
    }
    var opened = 0
    var next: [LinkID: UInt64] = [:]
    var base: [LinkID: UInt64] = [:]
    for _ in 0..<40 * 11 {
      switch try there.next() {
      case .opened: opened += 1
      case .received(let link, _, .ping(let beat)):
        let first = base[link] ?? beat.nonce
        base[link] = first
        #expect(beat.nonce == first + next[link, default: 0] && first % 100 == 0)
        next[link, default: 0] += 1
      case let event: Issue.record("unexpected \(event)")
      }
    }
    #expect(opened == 40 && base.count == 40 && next.values.allSatisfy { $0 == 10 })
    await stop()
  }
}
