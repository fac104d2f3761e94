import Cluster
import Tensors
import Testing
import Transport
import Wire

@Suite struct InProcessDataPlaneTests {
  private let network = InProcessNetwork()
  private let nodes: [DataNode]
  private let planes: [InProcessDataPlane]

  init() {
    let network = network
    planes = ["cove", "reef", "sound"].map { InProcessDataPlane(network: network, node: $0) }
    nodes = zip(["cove", "reef", "sound"], planes).map { DataNode($0, $1) }
  }

  private static func peers(_ ids: [NodeID] = ["cove", "reef", "sound"]) -> [DataPeer] {
    ids.enumerated().map { DataPeer(index: NodeIndex($0), id: $1, address: HostPort(host: "local", port: 1)) }
  }

  private func connect() {
    for node in nodes { node.configure(Self.peers()) }
    for node in nodes { node.poll() }
  }

  @Test("connected comes once for each peer, when both sides are configured")
  func connecting() {
    nodes[0].configure(Self.peers())
    nodes[0].poll()
    #expect(nodes[0].take().isEmpty)
    connect()
    #expect(nodes[0].take() == [.connected(1), .connected(2)])
    #expect(Set(nodes[1].take().map { "\($0)" }).count == 2)
    for node in nodes { node.configure(Self.peers(), epoch: 2) }
    for node in nodes { node.poll() }
    #expect(nodes[2].take().count == 4)
  }

  @Test("frames arrive in order, also those sent before the connection stands")
  func frames() throws {
    nodes[0].configure(Self.peers())
    try nodes[0].send([1, 2], to: 1, stream: 5)
    try nodes[0].send([3], to: 1, stream: 6)
    nodes[1].configure(Self.peers())
    nodes[1].poll()
    #expect(
      nodes[1].take() == [
        .connected(0), .frame(0, .combine, stream: 5, payload: [1, 2]), .frame(0, .combine, stream: 6, payload: [3]),
      ])
    #expect(planes[0].counters.dataFrames == 2 && planes[0].counters.dataBytes == 99)
  }

  @Test("frames of another epoch or term are dropped and counted")
  func stale() throws {
    connect()
    try nodes[0].send([1], to: 1)
    nodes[1].configure(Self.peers(), epoch: 2)
    nodes[1].poll()
    #expect(!nodes[1].take().contains { if case .frame = $0 { true } else { false } })
    #expect(planes[1].staleFrames == 1)
  }

  @Test("a cut is told to both, and the lower name connects anew when it is configured")
  func cut() throws {
    connect()
    _ = nodes.map { $0.take() }
    network.cut("cove", "reef")
    for node in nodes { node.poll() }
    #expect(nodes[0].take() == [.lost(1, .closed)] && nodes[1].take() == [.lost(0, .closed)])
    #expect(nodes[2].take().isEmpty)
    #expect(throws: TransportError.self) { try nodes[0].send([1], to: 1) }
    nodes[1].configure(Self.peers(), epoch: 2)
    nodes[0].configure(Self.peers(), epoch: 2)
    for node in nodes { node.poll() }
    #expect(nodes[0].take().contains(.connected(1)) && nodes[1].take().contains(.connected(0)))
  }

  @Test("a plane that stops is lost to the others")
  func stop() {
    connect()
    _ = nodes.map { $0.take() }
    planes[2].stop()
    nodes[0].poll()
    #expect(nodes[0].take() == [.lost(2, .closed)])
  }

  @Test("peers are reached before any placement, and frames flow once it comes")
  func reach() throws {
    nodes[0].reach(Self.peers())
    nodes[0].poll()
    #expect(nodes[0].take().isEmpty)
    nodes[1].reach(Self.peers(["cove", "reef"]))
    for node in nodes { node.poll() }
    #expect(nodes[0].take() == [.reached("reef")] && nodes[1].take() == [.reached("cove")])
    #expect(throws: TransportError.self) { try nodes[0].send([1], to: 1) }
    nodes[0].configure(Self.peers(["cove", "reef"]))
    try nodes[0].send([1], to: 1)
    nodes[1].poll()
    #expect(nodes[1].take().isEmpty && planes[1].staleFrames == 1)
    nodes[0].reach(Self.peers(["cove", "reef"]))
    nodes[0].poll()
    #expect(nodes[0].take() == [.connected(1), .reached("reef")])
  }

  @Test(
    "a partition makes a wanted peer unreachable when it begins and when it is asked for, and healing makes it reached")
  func reachPartitioned() throws {
    connect()
    for node in nodes[0...1] { node.reach(Self.peers()) }
    for node in nodes { node.poll() }
    _ = nodes.map { $0.take() }
    network.partition("cove", "reef")
    for node in nodes { node.poll() }
    #expect(nodes[0].take() == [.lost(1, .closed), .unreachable("reef", .closed)])
    #expect(nodes[1].take() == [.lost(0, .closed), .unreachable("cove", .closed)])
    nodes[0].reach(Self.peers(["cove", "reef"]))
    nodes[0].poll()
    #expect(nodes[0].take() == [.unreachable("reef", .unreachable)])
    network.heal("cove", "reef")
    for node in nodes { node.poll() }
    // The running placement does not get it back.
    #expect(nodes[0].take() == [.reached("reef")] && nodes[1].take() == [.reached("cove")])
    #expect(throws: TransportError.self) { try nodes[0].send([1], to: 1) }
    for node in nodes { node.configure(Self.peers(), epoch: 2) }
    try nodes[0].send([1], to: 1)
    for node in nodes { node.poll() }
    #expect(nodes[1].take().contains(.frame(0, .combine, stream: 1, payload: [1])))
  }

  @Test("a cut of a wanted connection is told, and made good at once")
  func reachCut() {
    for node in nodes { node.reach(Self.peers()) }
    for node in nodes { node.poll() }
    _ = nodes.map { $0.take() }
    network.cut("cove", "sound")
    for node in nodes { node.poll() }
    #expect(nodes[0].take() == [.unreachable("sound", .closed), .reached("sound")])
    #expect(nodes[1].take().isEmpty)
    #expect(nodes[2].take() == [.unreachable("cove", .closed), .reached("cove")])
  }

  @Test("a wanted peer that stops is unreachable, and reached when it is back and asks too")
  func reachStopped() {
    for node in nodes { node.reach(Self.peers()) }
    for node in nodes { node.poll() }
    _ = nodes.map { $0.take() }
    planes[2].stop()
    nodes[0].poll()
    #expect(nodes[0].take() == [.unreachable("sound", .closed)])
    nodes[0].reach(Self.peers())
    nodes[0].poll()
    #expect(nodes[0].take() == [.reached("reef"), .unreachable("sound", .unreachable)])
    let again = DataNode("sound", InProcessDataPlane(network: network, node: "sound"))
    again.reach(Self.peers())
    for node in [nodes[0], again] { node.poll() }
    #expect(nodes[0].take() == [.reached("sound")])
    #expect(again.take() == [.reached("cove"), .reached("reef")])
  }

  @Test("a later placement replaces what was wanted")
  func reachReplaced() {
    for node in nodes { node.reach(Self.peers()) }
    for node in nodes { node.configure(Self.peers(["cove", "reef"])) }
    for node in nodes { node.poll() }
    #expect(nodes[0].take() == [.connected(1)])
    network.partition("cove", "sound")
    nodes[0].poll()
    #expect(nodes[0].take().isEmpty)
  }

  @Test("an unknown index is an error")
  func unknown() {
    connect()
    for index in [0, 3, 70_000] {
      let error = #expect(throws: TransportError.self) { try nodes[0].send([], to: NodeIndex(index)) }
      #expect(error?.code == .notConnected)
    }
  }

  @Test("two threads play ping-pong")
  func threads() throws {
    let network = InProcessNetwork()
    let there = TestThread { try Self.pong(network) }
    let node = DataNode("cove", InProcessDataPlane(network: network, node: "cove"))
    node.configure(Self.peers())
    for round in 0..<1000 {
      try node.send([UInt8(truncatingIfNeeded: round)], to: 1, stream: UInt64(round))
      let answer = DataNode.Event.frame(
        1, .combine, stream: UInt64(round), payload: [UInt8(truncatingIfNeeded: round)])
      try DataNode.run([node]) { node.events.contains(answer) }
      _ = node.take()
    }
    #expect(try there.value() == 1000)
  }

  private static func pong(_ network: InProcessNetwork) throws -> Int {
    let node = DataNode("reef", InProcessDataPlane(network: network, node: "reef"))
    node.configure(peers())
    var answered = 0
    while answered < 1000 {
      try DataNode.run([node]) { !node.events.isEmpty }
      for case .frame(let index, _, let stream, let payload) in node.take() {
        try node.send(payload, to: index, stream: stream)
        answered += 1
      }
    }
    return answered
  }
}
