import Cluster
import Synchronization
import Tensors
import Testing
import Wire

@testable import Transport

/// Connections made ahead of a placement, over TCP.
@Suite struct ReachTests {
  private static func peers(_ nodes: [TCPNode]) -> [DataPeer] {
    nodes.enumerated().map { DataPeer(index: NodeIndex($0), id: $1.node.id, address: $1.acceptor.address) }
  }

  private func pair() throws -> [TCPNode] { try [TCPNode("cove"), TCPNode("reef")] }

  @Test("peers are reached before any placement, and connected at once when it comes")
  func ahead() throws {
    let nodes = try pair()
    for node in nodes { node.node.reach(Self.peers(nodes)) }
    try DataNode.run(nodes.map(\.node)) { nodes.allSatisfy { $0.node.events.count == 1 } }
    #expect(nodes[0].node.take() == [.reached("reef")] && nodes[1].node.take() == [.reached("cove")])
    #expect(throws: TransportError.self) { try nodes[0].node.send([1], to: 1) }
    for node in nodes {
      node.node.configure(Self.peers(nodes))
      node.node.poll()
    }
    #expect(nodes[0].node.take() == [.connected(1)] && nodes[1].node.take() == [.connected(0)])
    try nodes[0].node.send([1], to: 1)
    try DataNode.run(nodes.map(\.node)) { nodes[1].node.events.count == 1 }
    #expect(nodes[1].node.take() == [.frame(0, .combine, stream: 1, payload: [1])])
    #expect(nodes[0].plane.counters.dataFrames == 2)
  }

  @Test("connections of the running placement are shared, and told again to whoever asks again")
  func shared() throws {
    let nodes = try pair()
    for node in nodes { node.node.configure(Self.peers(nodes)) }
    try DataNode.run(nodes.map(\.node)) { nodes.allSatisfy { $0.node.events.count == 1 } }
    _ = nodes.map { $0.node.take() }
    for _ in 0..<2 {
      nodes[0].node.reach(Self.peers(nodes))
      nodes[0].node.poll()
      #expect(nodes[0].node.take() == [.reached("reef")])
    }
    // Nobody wants it any more, but the running placement keeps it.
    nodes[0].node.reach([])
    try nodes[0].node.send([5], to: 1)
    try DataNode.run(nodes.map(\.node)) { !nodes[1].node.events.isEmpty }
    #expect(nodes[1].node.take() == [.frame(0, .combine, stream: 1, payload: [5])])
    #expect(nodes[0].node.take().isEmpty)
    #expect(nodes[0].plane.counters.dataFrames == 2)
  }

  @Test("frames from a peer that is wanted but not configured are stale")
  func stale() throws {
    let nodes = try pair()
    nodes[0].node.configure(Self.peers(nodes))
    nodes[1].node.reach(Self.peers(nodes))
    try nodes[0].node.send([1], to: 1)
    try DataNode.run(nodes.map(\.node)) { nodes[1].plane.staleFrames == 1 }
    #expect(nodes[1].node.take() == [.reached("cove")])
  }

  @Test("a peer that is not there is told as unreachable again and again, and reached when it comes up after all")
  func lateStart() throws {
    var reserved: RawListener? = try RawListener()
    let address = try #require(reserved).address
    reserved = nil
    let cove = try TCPNode("cove")
    cove.node.reach([DataPeer(index: 0, id: "reef", address: address)])
    try DataNode.run([cove.node]) { cove.node.events.count == 2 }
    #expect(cove.node.take() == [.unreachable("reef", .timedOut), .unreachable("reef", .timedOut)])
    #expect(cove.node.lastLoss?.message.contains("reef at \(address)") == true)
    let reef = try TCPNode("reef", port: address.port)
    reef.node.reach([DataPeer(index: 0, id: "cove", address: cove.acceptor.address)])
    try DataNode.run([cove.node, reef.node]) { cove.node.events.contains(.reached("reef")) }
    #expect(reef.node.take() == [.reached("cove")])
  }

  @Test("whoever waits to be dialled says so too; the dial is welcome as soon as the peer is wanted")
  func notDialled() throws {
    let nodes = try pair()
    nodes[1].node.reach(Self.peers(nodes))
    try DataNode.run([nodes[1].node]) { nodes[1].node.events.count == 1 }
    #expect(nodes[1].node.take() == [.unreachable("cove", .timedOut)])
    #expect(nodes[1].node.lastLoss?.message.contains("did not dial") == true)
    nodes[0].node.reach(Self.peers(nodes))
    try DataNode.run(nodes.map(\.node)) { nodes.allSatisfy { !$0.node.events.isEmpty } }
    #expect(nodes[0].node.take() == [.reached("reef")] && nodes[1].node.take() == [.reached("cove")])
  }

  @Test("a wanted connection that breaks is told and made again, though the running placement has lost it")
  func broken() throws {
    let cove = try TCPNode("cove")
    var reef: TCPNode? = try TCPNode("reef")
    let port = try #require(reef).acceptor.address.port
    let peers = Self.peers([cove, try #require(reef)])
    for node in [cove, try #require(reef)] {
      node.node.configure(peers)
      node.node.reach(peers)
    }
    try DataNode.run([cove.node, #require(reef).node]) { cove.node.events.count == 2 }
    _ = cove.node.take()
    reef = nil
    try DataNode.run([cove.node]) { cove.node.events.count == 2 }
    #expect(cove.node.take() == [.lost(1, .closed), .unreachable("reef", .closed)])
    let again = try TCPNode("reef", port: port)
    again.node.reach(peers)
    try DataNode.run([cove.node, again.node]) { cove.node.events.contains(.reached("reef")) }
    #expect(!cove.node.take().contains(.connected(1)))
    #expect(throws: TransportError.self) { try cove.node.send([1], to: 1) }
    for node in [cove, again] { node.node.configure(peers, epoch: 2) }
    try cove.node.send([1], to: 1)
    try DataNode.run([cove.node, again.node]) { again.node.events.count == 3 }
    #expect(cove.node.take() == [.connected(1)])
    #expect(again.node.take().suffix(2) == [.connected(0), .frame(0, .combine, stream: 1, payload: [1])])
  }

  /// A socket that has said it is "cove" with this in its hello's header.
  private static func dial(_ reef: TCPNode, epoch: UInt32, term: UInt32 = 1) throws -> RawSocket {
    let socket = try RawSocket(port: reef.acceptor.address.port)
    let term = CoordinatorTerm(rawValue: term)
    let payload = PeerHello(cluster: DataNode.cluster, term: term, sender: "cove", receiver: "reef").payload
    var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount) + payload
    bytes.withUnsafeMutableBytes { bytes in
      FrameHeader(
        type: .peerHello, epoch: PlacementEpoch(rawValue: epoch), term: term, stream: 0,
        payload: UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...])
      ).write(to: bytes)
    }
    socket.write(ConnectionPreface(plane: .data).bytes + bytes)
    return socket
  }

  @Test(
    "a lost peer that dials for a coming placement stays lost in the running one; one that begins it afresh does not")
  func dialledAnew() throws {
    let reef = try TCPNode("reef")
    let peers = [DataPeer(index: 0, id: "cove", address: HostPort(host: "127.0.0.1", port: 1))]
    reef.node.configure(peers)
    reef.node.reach(peers)
    let first = try Self.dial(reef, epoch: 1)
    try DataNode.run([reef.node]) { reef.node.events.count == 2 }
    #expect(reef.node.take() == [.connected(0), .reached("cove")])
    let second = try Self.dial(reef, epoch: 0)
    try DataNode.run([reef.node]) { reef.node.events.count == 3 }
    #expect(reef.node.take() == [.lost(0, .closed), .unreachable("cove", .closed), .reached("cove")])
    #expect(first.read(8).count == 8)
    #expect(first.isAtEnd())
    #expect(throws: TransportError.self) { try reef.node.send([1], to: 0) }
    let third = try Self.dial(reef, epoch: 1)
    try DataNode.run([reef.node]) { reef.node.events.count == 3 }
    #expect(reef.node.take() == [.unreachable("cove", .closed), .connected(0), .reached("cove")])
    #expect(second.descriptor >= 0 && third.descriptor >= 0)
  }

  @Test("a restarted peer that dials before it is asked for replaces its old connection without a loss")
  func restartedEarly() throws {
    let reef = try TCPNode("reef")
    let peers = [DataPeer(index: 0, id: "cove", address: HostPort(host: "127.0.0.1", port: 1))]
    reef.node.configure(peers)
    let first = try Self.dial(reef, epoch: 1)
    try DataNode.run([reef.node]) { reef.node.events.count == 1 }
    // The dial of the next term waits; the old socket still looks alive.
    let second = try Self.dial(reef, epoch: 0, term: 2)
    #expect(second.read(8).count == 8)
    try DataNode.run([reef.node]) { reef.plane.strangers.contains { $0.hello != nil } }
    #expect(reef.node.take() == [.connected(0)])
    reef.node.configure(peers, epoch: 2, term: 2)
    try DataNode.run([reef.node]) { !reef.node.events.isEmpty }
    #expect(reef.node.take() == [.connected(0)])
    #expect(second.read(FrameHeader.byteCount).count == FrameHeader.byteCount)
    #expect(first.read(8).count == 8)
    #expect(first.isAtEnd())
  }

  @Test("a dialer that has gone again does not replace a connection that works")
  func ghost() throws {
    let reef = try TCPNode("reef")
    let peers = [DataPeer(index: 0, id: "cove", address: HostPort(host: "127.0.0.1", port: 1))]
    reef.node.configure(peers)
    let first = try Self.dial(reef, epoch: 1)
    try DataNode.run([reef.node]) { reef.node.events.count == 1 }
    let ghost = try Self.dial(reef, epoch: 0, term: 2)
    #expect(ghost.read(8).count == 8)
    try DataNode.run([reef.node]) { reef.plane.strangers.contains { $0.hello != nil } }
    ghost.finish()
    reef.node.reach(peers, term: 2)
    reef.node.poll()
    #expect(reef.node.take() == [.connected(0), .reached("cove")])
    #expect(ghost.isAtEnd())
    #expect(first.descriptor >= 0)
  }

  @Test("another cluster ends the running placement, and its peers are reached as that cluster's")
  func otherCluster() throws {
    let nodes = try pair()
    for node in nodes { node.node.configure(Self.peers(nodes)) }
    try DataNode.run(nodes.map(\.node)) { nodes.allSatisfy { $0.node.events.count == 1 } }
    _ = nodes.map { $0.node.take() }
    let cluster = ClusterID(high: 3, low: 4)
    for node in nodes { node.node.reach(Self.peers(nodes), cluster: cluster) }
    try DataNode.run(nodes.map(\.node)) { nodes.allSatisfy { !$0.node.events.isEmpty } }
    #expect(nodes[0].node.take() == [.reached("reef")] && nodes[1].node.take() == [.reached("cove")])
    #expect(throws: TransportError.self) { try nodes[0].node.send([1], to: 1) }
  }

  @Test("a peer that has moved is dialled at its new address, and lost to the running placement")
  func moved() throws {
    let nodes = try pair()
    for node in nodes { node.node.configure(Self.peers(nodes)) }
    try DataNode.run(nodes.map(\.node)) { nodes.allSatisfy { $0.node.events.count == 1 } }
    _ = nodes[0].node.take()
    let moved = try TCPNode("reef")
    let peers = Self.peers([nodes[0], moved])
    moved.node.reach(peers)
    nodes[0].node.reach(peers)
    try DataNode.run([nodes[0].node, moved.node]) { nodes[0].node.events.count == 2 }
    #expect(nodes[0].node.take() == [.lost(1, .closed), .reached("reef")])
  }

  /// A way to look names up that waits until it is told the answer.
  private final class SlowLookup: Sendable {
    let asked = Mailbox<HostPort>(capacity: 10)
    let answers = Mailbox<Result<[SocketAddress], TransportError>>(capacity: 10)

    func find(_ address: HostPort) -> Result<[SocketAddress], TransportError> {
      asked.post(address)
      answers.wait()
      return answers.take() ?? .failure(TransportError(.badAddress, "no answer"))
    }
  }

  @Test("looking a name up keeps nobody waiting, and is asked again when the host is not known")
  func names() throws {
    let nodes = try pair()
    let lookup = SlowLookup()
    defer { lookup.answers.close() }
    let plane = TCPDataPlane(spin: .zero, lookUp: lookup.find)
    let atoll = DataNode("atoll", plane)
    let named = DataPeer(
      index: 0, id: "cove", address: HostPort(host: "cove.lan", port: nodes[0].acceptor.address.port))
    let all = [DataPeer(index: 2, id: "atoll", address: HostPort(host: "127.0.0.1", port: 1))]
    for node in nodes { node.node.reach(all) }
    atoll.reach([named, DataPeer(index: 1, id: "reef", address: nodes[1].acceptor.address)])
    try DataNode.run([atoll] + nodes.map(\.node)) { !atoll.events.isEmpty && lookup.asked.count == 1 }
    #expect(atoll.take() == [.reached("reef")])
    lookup.answers.post(.failure(TransportError(.badAddress, "cove.lan is not known")))
    try DataNode.run([atoll] + nodes.map(\.node)) { lookup.asked.count == 2 }
    #expect(atoll.lastLoss?.message.contains("cove.lan is not known") != false)
    lookup.answers.post(.success(try SocketAddress.resolve(nodes[0].acceptor.address)))
    try withExtendedLifetime(nodes) {
      try DataNode.run([atoll] + nodes.map(\.node)) { atoll.events.contains(.reached("cove")) }
    }
  }

  @Test("a configured peer whose host is not known is lost")
  func unknownName() throws {
    let plane = TCPDataPlane(spin: .zero) { _ in .failure(TransportError(.badAddress, "not known")) }
    let cove = DataNode("cove", plane)
    cove.configure([DataPeer(index: 3, id: "reef", address: HostPort(host: "reef.lan", port: 9))])
    try DataNode.run([cove]) { !cove.events.isEmpty }
    #expect(cove.take() == [.lost(3, .badAddress)])
  }
}
