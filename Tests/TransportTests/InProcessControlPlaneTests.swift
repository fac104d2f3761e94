import Tensors
import Testing
import Transport
import Wire

@Suite struct InProcessControlPlaneTests {
  private let network = InProcessNetwork()
  private let address = HostPort(host: "reef", port: 1)
  private let here = EventLog()
  private let there = EventLog()
  private let coordinator: InProcessControlPlane
  private let worker: InProcessControlPlane

  init() {
    coordinator = InProcessControlPlane(network: network, name: "coordinator", sink: here.sink)
    worker = InProcessControlPlane(network: network, name: "reef", address: address, sink: there.sink)
  }

  private func connect() throws -> (LinkID, LinkID) {
    let link = coordinator.dial(address, timeout: .seconds(1))
    #expect(try here.opened() == link)
    return (link, try there.opened())
  }

  @Test("messages go both ways, in order, and are counted")
  func messages() throws {
    let (near, far) = try connect()
    for nonce in 0..<5 { coordinator.send(.ping(UInt64(nonce)), on: near) }
    for nonce in 0..<5 {
      let (link, header, message) = try there.received()
      #expect(link == far && message == .ping(UInt64(nonce)) && header.epoch.rawValue == 1)
      worker.send(message, on: far)
    }
    for nonce in 0..<5 { #expect(try here.received().2 == .ping(UInt64(nonce))) }
    #expect(coordinator.counters.controlFrames == 5)
    #expect(coordinator.counters.controlBytes == 5 * 68)
  }

  @Test("a plane with a pulse answers pings itself, and gives its sink the rest")
  func pulse() throws {
    let pulse = Pulse()
    let log = EventLog()
    let address = HostPort(host: "cove", port: 1)
    let cove = InProcessControlPlane(network: network, name: "cove", address: address, pulse: pulse, sink: log.sink)
    let link = coordinator.dial(address, timeout: .seconds(1))
    _ = try (here.opened(), log.opened())
    for count: UInt64 in 1...3 {
      pulse.beat()
      pulse.isWorking = count == 2
      coordinator.send(.ping(count), on: link)
      let (_, header, message) = try here.received()
      #expect(message == .pong(Heartbeat(nonce: count, progress: count, isWorking: count == 2)))
      #expect(header.epoch.rawValue == 1 && header.term.rawValue == 1)
    }
    coordinator.send(.shutdown, on: link)
    #expect(try log.received().2 == .shutdown)
    #expect(log.isEmpty && cove.counters.controlFrames == 3)
  }

  @Test("bytes are acknowledged when they are delivered; what is held is pending, what is dropped is not")
  func vitals() throws {
    let (near, far) = try connect()
    coordinator.send(.ping(0), on: near)
    network.setIntercept { packet in
      switch packet.number {
      case 1: .hold
      case 2: .drop
      default: .deliver
      }
    }
    for nonce: UInt64 in 1...3 { coordinator.send(.ping(nonce), on: near) }
    #expect(
      coordinator.vitals(of: near) == LinkVitals(bytesReceived: 0, bytesAcknowledged: 2 * 68, bytesPending: 68))
    #expect(worker.vitals(of: far) == LinkVitals(bytesReceived: 2 * 68, bytesAcknowledged: 0, bytesPending: 0))
    network.release(network.held[0])
    worker.send(.shutdown, on: far)
    #expect(
      coordinator.vitals(of: near) == LinkVitals(bytesReceived: 48, bytesAcknowledged: 3 * 68, bytesPending: 0))
    #expect(worker.vitals(of: near) == nil)
    coordinator.close(near)
    #expect(coordinator.vitals(of: near) == nil)
  }

  @Test("closing is told to both sides once")
  func close() throws {
    let (near, far) = try connect()
    coordinator.close(near)
    coordinator.close(near)
    worker.close(far)
    coordinator.send(.shutdown, on: near)
    #expect(try here.closed() == (near, nil))
    let (link, error) = try there.closed()
    #expect(link == far && error?.code == .closed)
    #expect(here.isEmpty && there.isEmpty)
  }

  @Test("a dial that reaches nobody is closed with a reason")
  func unreachable() throws {
    let link = coordinator.dial(HostPort(host: "nobody", port: 1), timeout: .seconds(1))
    let (closed, error) = try here.closed()
    #expect(closed == link && error?.code == .unreachable)
  }

  @Test("packets can be dropped, doubled, held back and let go in another order")
  func fates() throws {
    let (near, _) = try connect()
    network.setIntercept { packet in
      switch packet.number {
      case 0: .drop
      case 1: .duplicate
      case 2, 3: .hold
      default: .deliver
      }
    }
    for nonce in 0..<5 { coordinator.send(.ping(UInt64(nonce)), on: near) }
    for expected: UInt64 in [1, 1, 4] { #expect(try there.received().2 == .ping(expected)) }
    let held = network.held
    #expect(held.map(\.number) == [2, 3] && held.allSatisfy { $0.destination == "reef" })
    for packet in held.reversed() { network.release(packet) }
    for expected: UInt64 in [3, 2] { #expect(try there.received().2 == .ping(expected)) }
    network.release(held[0])
    #expect(there.isEmpty)
  }

  @Test("a partition closes links and lets none be made until it is healed")
  func partition() throws {
    let (near, _) = try connect()
    network.partition("coordinator", "reef")
    #expect(try here.closed().0 == near)
    #expect(try there.closed().1?.code == .closed)
    _ = coordinator.dial(address, timeout: .seconds(1))
    #expect(try here.closed().1?.code == .unreachable)
    network.heal("coordinator", "reef")
    _ = try connect()
  }

  @Test("a plane that stops closes its links, and its name is free again")
  func stop() throws {
    _ = try connect()
    worker.stop()
    #expect(try here.closed().1?.message.contains("reef") == true)
    let again = InProcessControlPlane(network: network, name: "reef", address: address, sink: there.sink)
    #expect(again.counters.controlFrames == 0)
  }

  @Test("a sink may send; events stay in order")
  func reentrancy() throws {
    let log = EventLog()
    let network = network
    let echo = HostPort(host: "echo", port: 1)
    let plane = EchoPlane(network: network, address: echo)
    let client = InProcessControlPlane(network: network, name: "client", sink: log.sink)
    let link = client.dial(echo, timeout: .seconds(1))
    _ = try log.opened()
    for nonce in 0..<3 { client.send(.ping(UInt64(nonce)), on: link) }
    for nonce in 0..<3 { #expect(try log.received().2 == .ping(UInt64(nonce))) }
    plane.stop()
    #expect(try log.closed().0 == link)
  }
}

/// Sends back what it receives, from inside the sink.
private final class EchoPlane: Sendable {
  private let plane: InProcessControlPlane

  init(network: InProcessNetwork, address: HostPort) {
    let box = PlaneBox()
    plane = InProcessControlPlane(network: network, name: "echo", address: address) { event in
      if case .received(let link, _, let message) = event { box.plane?.send(message, on: link) }
    }
    box.set(plane)
  }

  func stop() { plane.stop() }
}
