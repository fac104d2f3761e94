import Cluster
import Foundation
import Glibc
import Tensors
import Testing
import Transport
import Wire

/// Measures what the data plane adds to a round trip; runs only when `SHOAL_MEASURE` is set, and asserts no times.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["SHOAL_MEASURE"] != nil))
struct RoundTripMeasurement {
  private static let rounds = 5000
  private static let payloadBytes = 2048

  private static func report(_ name: String, _ times: [Duration]) {
    let sorted = times.sorted()
    print("\(name): median \(sorted[sorted.count / 2]), 99 % \(sorted[99 * sorted.count / 100])")
  }

  @Test("round trip of 2 KiB between two threads", arguments: [0, 10, 50])
  func dataPlane(spinMicroseconds: Int) throws {
    let spin = Duration.microseconds(spinMicroseconds)
    let cove = try TCPNode("cove", spin: spin)
    let near = DataPeer(index: 0, id: "cove", address: cove.acceptor.address)
    let addresses = Mailbox<HostPort>(capacity: 1)
    let answering = Thread {
      guard let reef = try? TCPNode("reef", spin: spin) else { return }
      addresses.post(reef.acceptor.address)
      Self.answer(reef.plane, [near, DataPeer(index: 1, id: "reef", address: reef.acceptor.address)])
    }
    answering.start()
    addresses.wait(until: ContinuousClock.now + .seconds(20))
    cove.node.configure([near, DataPeer(index: 1, id: "reef", address: try #require(addresses.take()))])
    try DataNode.run([cove.node]) { cove.node.events == [.connected(1)] }
    let times = Self.ask(cove.plane)
    Self.report("data plane, spin \(spin)", times)
    cove.plane.configure(
      DataPlaneConfiguration(
        node: "cove", cluster: ClusterID(high: 9, low: 9), term: CoordinatorTerm(rawValue: 1),
        epoch: PlacementEpoch(rawValue: 1), peers: []))
    #expect(times.count == Self.rounds)
  }

  private static func ask(_ plane: TCPDataPlane) -> [Duration] {
    var times: [Duration] = []
    for round in 0..<rounds {
      let start = ContinuousClock.now
      send(plane, to: 1, UInt64(round))
      var isAnswered = false
      while !isAnswered {
        plane.poll { if case .frame = $0 { isAnswered = true } }
        if !isAnswered { plane.wait(until: start + .seconds(5)) }
      }
      times.append(ContinuousClock.now - start)
    }
    return times
  }

  private static func answer(_ plane: TCPDataPlane, _ peers: [DataPeer]) {
    plane.configure(
      DataPlaneConfiguration(
        node: "reef", cluster: DataNode.cluster, term: CoordinatorTerm(rawValue: 1),
        epoch: PlacementEpoch(rawValue: 1), peers: peers))
    var isOver = false
    while !isOver {
      plane.poll { event in
        switch event {
        case .frame(let index, let header, _): send(plane, to: index, header.stream)
        case .lost: isOver = true
        case .connected, .reached, .unreachable: break
        }
      }
      if !isOver { plane.wait(until: ContinuousClock.now + .seconds(5)) }
    }
  }

  private static func send(_ plane: TCPDataPlane, to index: NodeIndex, _ stream: UInt64) {
    try? plane.send(.combine, to: index, flags: [], stream: stream, payloadBytes: payloadBytes) {
      _ = $0.initializeMemory(as: UInt8.self, repeating: 1)
    }
  }

  @Test("round trip of 2 KiB over raw sockets, blocking and spinning")
  func rawSockets() throws {
    for isSpinning in [false, true] {
      let listener = try RawListener()
      let near = try RawSocket(port: listener.port)
      let far = listener.accept()
      for socket in [near, far] {
        var one: Int32 = 1
        setsockopt(socket.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        if isSpinning { _ = fcntl(socket.descriptor, F_SETFL, O_NONBLOCK) }
      }
      let thread = Thread {
        for _ in 0..<Self.rounds {
          Self.receive(far)
          far.write([UInt8](repeating: 1, count: Self.payloadBytes + 48))
        }
      }
      thread.start()
      let message = [UInt8](repeating: 1, count: Self.payloadBytes + 48)
      var times: [Duration] = []
      for _ in 0..<Self.rounds {
        let start = ContinuousClock.now
        near.write(message)
        Self.receive(near)
        times.append(ContinuousClock.now - start)
      }
      Self.report("raw sockets, \(isSpinning ? "spinning" : "blocking")", times)
      #expect(times.count == Self.rounds)
    }
  }

  private static func receive(_ socket: RawSocket) {
    withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 8) { buffer in
      var got = 0
      while got < payloadBytes + 48 {
        let count = recv(socket.descriptor, buffer.baseAddress, payloadBytes + 48 - got, 0)
        if count > 0 { got += count } else if count == 0 { return }
      }
    }
  }
}
