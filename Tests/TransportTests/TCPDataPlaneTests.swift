import Cluster
import Glibc
import Logging
import Synchronization
import Tensors
import Testing
import Transport
import Wire

/// A worker's data plane behind a real port.
final class TCPNode {
  let plane: TCPDataPlane
  let node: DataNode
  let acceptor: Acceptor

  init(_ id: NodeID, port: UInt16 = 0, spin: Duration = .microseconds(20)) throws {
    let plane = TCPDataPlane(spin: spin)
    self.plane = plane
    node = DataNode(id, plane)
    acceptor = try Acceptor(
      listen: HostPort(host: "127.0.0.1", port: port),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, handlers: [.data: plane.adopt])
  }

  deinit { acceptor.stop() }
}

@Suite struct TCPDataPlaneTests {
  private static func peers(_ nodes: [TCPNode]) -> [DataPeer] {
    nodes.enumerated().map { DataPeer(index: NodeIndex($0), id: $1.node.id, address: $1.acceptor.address) }
  }

  private func connected(_ ids: [NodeID]) throws -> [TCPNode] {
    let nodes = try ids.map { try TCPNode($0) }
    for node in nodes { node.node.configure(Self.peers(nodes)) }
    try DataNode.run(nodes.map(\.node)) { nodes.allSatisfy { $0.node.events.count == nodes.count - 1 } }
    for (index, node) in nodes.enumerated() {
      let events = node.node.take()
      for other in nodes.indices where other != index { #expect(events.contains(.connected(NodeIndex(other)))) }
    }
    return nodes
  }

  @Test("frames of all sizes go both ways in order")
  func frames() throws {
    let nodes = try connected(["cove", "reef"])
    let sizes = [0, 1, 47, 2048, 65_535, 1 << 20, 3, 9 << 20, 5]
    for (stream, size) in sizes.enumerated() {
      let payload = [UInt8](repeating: UInt8(stream + 1), count: size)
      try nodes[0].node.send(payload, to: 1, type: .handOver, stream: UInt64(stream))
      try nodes[1].node.send(payload, to: 0, type: .handOver, stream: UInt64(stream))
    }
    try DataNode.run(nodes.map(\.node)) { nodes.allSatisfy { $0.node.events.count == sizes.count } }
    for (index, node) in nodes.enumerated() {
      let expected = sizes.enumerated().map { stream, size in
        DataNode.Event.frame(
          NodeIndex(1 - index), .handOver, stream: UInt64(stream),
          payload: [UInt8](repeating: UInt8(stream + 1), count: size))
      }
      #expect(node.node.take() == expected)
    }
    let payload = sizes.reduce(0, +) + sizes.count * FrameHeader.byteCount
    let hello = UInt64(FrameHeader.byteCount + 16 + 4 + 4 + 4 + 4 + 4)
    #expect(nodes[0].plane.counters.dataBytes == UInt64(payload) + hello)
    #expect(nodes[0].plane.counters.dataFrames == UInt64(sizes.count) + 1)
  }

  @Test("a peer that starts later is dialled until it is there; frames sent meanwhile arrive")
  func lateStart() throws {
    var reserved: RawListener? = try RawListener()
    let address = try #require(reserved).address
    reserved = nil
    let cove = try TCPNode("cove")
    cove.node.configure([DataPeer(index: 4, id: "reef", address: address)])
    for number: UInt8 in 1...3 { try cove.node.send([number], to: 4, stream: UInt64(number)) }
    // Refused at once by the system; the plane goes on trying.
    for _ in 0..<3 {
      cove.plane.wait(until: nil)
      cove.node.poll()
    }
    #expect(cove.node.events.isEmpty)
    let reef = try TCPNode("reef", port: address.port)
    reef.node.configure([DataPeer(index: 0, id: "cove", address: cove.acceptor.address)])
    try DataNode.run([cove.node, reef.node]) { reef.node.events.count == 4 }
    #expect(cove.node.take() == [.connected(4)])
    let frames = (1...3).map { DataNode.Event.frame(0, .combine, stream: UInt64($0), payload: [UInt8($0)]) }
    #expect(reef.node.take() == [.connected(0)] + frames)
  }

  @Test("frames of another epoch or term are dropped and counted; the connection is kept")
  func stale() throws {
    let nodes = try connected(["cove", "reef"])
    nodes[1].node.configure(Self.peers(nodes), epoch: 2)
    try nodes[0].node.send([1], to: 1)
    try DataNode.run(nodes.map(\.node)) { nodes[1].plane.staleFrames == 1 }
    nodes[0].node.configure(Self.peers(nodes), epoch: 2, term: 3)
    try nodes[0].node.send([2], to: 1)
    try DataNode.run(nodes.map(\.node)) { nodes[1].plane.staleFrames == 2 }
    nodes[1].node.configure(Self.peers(nodes), epoch: 2, term: 3)
    try nodes[0].node.send([3], to: 1)
    try DataNode.run(nodes.map(\.node)) {
      nodes[1].node.events.contains(.frame(0, .combine, stream: 1, payload: [3]))
    }
    #expect(nodes[1].node.take() == [.connected(0), .connected(0), .frame(0, .combine, stream: 1, payload: [3])])
  }

  @Test("indices follow the placement, also when nodes come and go")
  func reindexed() throws {
    let nodes = try connected(["cove", "reef", "sound"])
    let pair = [nodes[0], nodes[2]]
    for node in pair { node.node.configure(Self.peers(pair), epoch: 2) }
    try nodes[0].node.send([9], to: 1)
    try DataNode.run(nodes.map(\.node)) {
      nodes[2].node.events.contains(.frame(0, .combine, stream: 1, payload: [9]))
    }
    #expect(throws: TransportError.self) { try nodes[0].node.send([9], to: 2) }
    for node in nodes { node.node.configure(Self.peers(nodes), epoch: 3) }
    try nodes[0].node.send([8], to: 1)
    try DataNode.run(nodes.map(\.node)) {
      nodes[1].node.events.contains(.frame(0, .combine, stream: 1, payload: [8]))
    }
    #expect(!nodes.contains { $0.node.events.contains { if case .lost = $0 { true } else { false } } })
  }

  @Test("a peer that goes away is lost once, and found again when both are configured anew")
  func lost() throws {
    let cove = try TCPNode("cove")
    var reef: TCPNode? = try TCPNode("reef")
    let port = try #require(reef).acceptor.address.port
    let address = HostPort(host: "127.0.0.1", port: port)
    let peers = [
      DataPeer(index: 0, id: "cove", address: cove.acceptor.address), DataPeer(index: 1, id: "reef", address: address),
    ]
    cove.node.configure(peers)
    try #require(reef).node.configure(peers)
    try DataNode.run([cove.node, #require(reef).node]) { cove.node.events == [.connected(1)] }
    reef = nil
    try DataNode.run([cove.node]) { cove.node.events.count > 1 }
    #expect(cove.node.take() == [.connected(1), .lost(1, .closed)])
    #expect(cove.node.lastLoss?.message.contains("reef") == true)
    #expect(throws: TransportError.self) { try cove.node.send([1], to: 1) }
    let again = try TCPNode("reef", port: port)
    again.node.configure(peers, epoch: 2)
    cove.node.configure(peers, epoch: 2)
    try DataNode.run([cove.node, again.node]) { cove.node.events == [.connected(1)] }
  }

  @Test("a peer that was restarted and dials anew replaces its old connection")
  func replaced() throws {
    let reef = try TCPNode("reef")
    let first = try TCPNode("cove")
    let peers = Self.peers([first, reef])
    for node in [first, reef] { node.node.configure(peers) }
    try DataNode.run([first.node, reef.node]) { reef.node.events == [.connected(0)] }
    let second = try TCPNode("cove")
    second.node.configure(Self.peers([second, reef]))
    try DataNode.run([second.node, reef.node]) { reef.node.events.count == 3 && second.node.events.count == 1 }
    #expect(reef.node.take() == [.connected(0), .lost(0, .closed), .connected(0)])
    try second.node.send([1], to: 1)
    try DataNode.run([second.node, reef.node]) { reef.node.events.count == 1 }
  }

  @Test("another cluster's worker under the same name is not let in")
  func otherCluster() throws {
    let nodes = try connected(["cove", "reef"])
    let stranger = try TCPNode("cove")
    stranger.node.configure(Self.peers([stranger, nodes[1]]), cluster: ClusterID(high: 9, low: 9))
    for round in 0..<50 {
      try nodes[0].node.send([UInt8(round)], to: 1, stream: UInt64(round))
      try DataNode.run([stranger.node, nodes[0].node, nodes[1].node]) { !nodes[1].node.events.isEmpty }
      #expect(nodes[1].node.take() == [.frame(0, .combine, stream: UInt64(round), payload: [UInt8(round)])])
    }
    #expect(stranger.node.take().isEmpty)
  }

  /// A raw socket that has introduced itself as "cove" to a node called "reef".
  private func impostor() throws -> (RawSocket, TCPNode) {
    let reef = try TCPNode("reef")
    reef.node.configure([DataPeer(index: 0, id: "cove", address: HostPort(host: "127.0.0.1", port: 1))])
    let socket = try RawSocket(port: reef.acceptor.address.port)
    let hello = PeerHello(
      cluster: DataNode.cluster, term: CoordinatorTerm(rawValue: 1), sender: "cove", receiver: "reef")
    socket.write(ConnectionPreface(plane: .data).bytes + Self.frame(.peerHello, hello.payload))
    try DataNode.run([reef.node]) { reef.node.events == [.connected(0)] }
    _ = reef.node.take()
    #expect(socket.read(8) == ConnectionPreface(plane: .data).bytes)
    return (socket, reef)
  }

  private static func frame(_ type: FrameType, _ payload: [UInt8]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount) + payload
    bytes.withUnsafeMutableBytes { bytes in
      FrameHeader(
        type: type, epoch: PlacementEpoch(rawValue: 1), term: CoordinatorTerm(rawValue: 1), stream: 3,
        payload: UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...])
      ).write(to: bytes)
    }
    return bytes
  }

  @Test("a frame that comes byte by byte, then many in one go, are all handed over")
  func slowSender() throws {
    let (socket, reef) = try impostor()
    for byte in Self.frame(.combine, [1, 2]) {
      socket.write([byte])
      reef.node.poll()
    }
    socket.write((0..<100).flatMap { Self.frame(.combine, [UInt8($0)]) })
    try DataNode.run([reef.node]) { reef.node.events.count == 101 }
    #expect(reef.node.take().first == .frame(0, .combine, stream: 3, payload: [1, 2]))
  }

  @Test("garbage, impossible lengths, wrong planes and damaged payloads end that connection only")
  func garbage() throws {
    var long = Self.frame(.combine, [])
    long.replaceSubrange(24..<28, with: [0xFF, 0xFF, 0xFF, 0xFF])
    long.replaceSubrange(40..<48, with: Self.hash(Array(long[0..<40])))
    var damaged = Self.frame(.combine, [1, 2, 3])
    damaged[50] ^= 1
    let hello = PeerHello(
      cluster: DataNode.cluster, term: CoordinatorTerm(rawValue: 1), sender: "cove", receiver: "reef")
    let cases = [
      [UInt8](repeating: 0xEE, count: 4096), long, damaged, Self.frame(.ping, [UInt8](repeating: 0, count: 16)),
      Self.frame(.peerHello, hello.payload),
    ]
    for bytes in cases {
      let (socket, reef) = try impostor()
      socket.write(Self.frame(.combine, [7]) + bytes)
      try DataNode.run([reef.node]) { reef.node.events.count == 2 }
      #expect(
        reef.node.take() == [.frame(0, .combine, stream: 3, payload: [7]), .lost(0, .protocolViolation)])
      #expect(socket.isAtEnd())
    }
  }

  private static func hash(_ bytes: [UInt8]) -> [UInt8] {
    let hash = bytes.withUnsafeBytes { XXH64.hash($0) }
    return (0..<8).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt64($0))) }
  }

  @Test("whoever does not introduce itself, or as somebody else, is closed without harm")
  func strangers() throws {
    let reef = try TCPNode("reef")
    reef.node.configure([DataPeer(index: 0, id: "cove", address: HostPort(host: "127.0.0.1", port: 1))])
    for bytes in [Self.frame(.combine, [1]), [UInt8](repeating: 1, count: 100), Self.frame(.peerHello, [1, 2])] {
      let socket = try RawSocket(port: reef.acceptor.address.port)
      socket.write(ConnectionPreface(plane: .data).bytes + bytes)
      #expect(socket.read(8).count == 8)
      let end = TestThread { socket.isAtEnd() }
      try DataNode.run([reef.node]) { end.isDone }
      #expect(try end.value())
    }
    #expect(reef.node.take().isEmpty)
  }

  @Test("a peer that answers under another name, or another version, is lost with both names")
  func wrongAnswer() throws {
    let hello = PeerHello(
      cluster: DataNode.cluster, term: CoordinatorTerm(rawValue: 1), sender: "whale", receiver: "cove")
    let answers: [([UInt8], TransportError.Code, String)] = [
      (ConnectionPreface(plane: .data, version: 8).bytes, .versionMismatch, "version 8"),
      (ConnectionPreface(plane: .data).bytes + Self.frame(.combine, []), .protocolViolation, "combine"),
      (ConnectionPreface(plane: .control).bytes, .protocolViolation, "control"),
      (ConnectionPreface(plane: .data).bytes + Self.frame(.peerHello, hello.payload), .wrongPeer, "whale"),
    ]
    for (bytes, code, word) in answers {
      let listener = try RawListener()
      let cove = try TCPNode("cove")
      cove.node.configure([DataPeer(index: 1, id: "reef", address: listener.address)])
      let socket = listener.accept()
      try DataNode.run([cove.node]) {
        socket.write(bytes)
        cove.node.poll()
        return !cove.node.events.isEmpty
      }
      #expect(cove.node.take() == [.lost(1, code)])
      #expect(cove.node.lastLoss?.message.contains(word) == true)
      #expect(cove.node.lastLoss?.message.contains("reef") == true)
    }
  }

  @Test("sending to a peer that does not read never blocks, and fails once too much waits")
  func backlog() throws {
    let (socket, reef) = try impostor()
    var error: TransportError?
    var sent = 0
    let payload = [UInt8](repeating: 0, count: 32 << 20)
    while error == nil, sent < 20 {
      do throws(TransportError) {
        try reef.node.send(payload, to: 0, type: .handOver)
        sent += 1
      } catch let failure {
        error = failure
      }
    }
    #expect(error?.code == .backlog && error?.message.contains("cove") == true)
    #expect(sent >= 7)
    #expect(socket.descriptor >= 0)
  }

  @Test("a waker ends a wait from another thread, and a deadline does too")
  func waker() throws {
    let plane = TCPDataPlane()
    let waker = plane.waker
    let ready = Mailbox<Int>(capacity: 1)
    let thread = TestThread {
      ready.wait()
      waker.wake()
    }
    ready.post(1)
    plane.wait(until: nil)
    try thread.value()
    plane.wait(until: ContinuousClock.now + .milliseconds(1))
  }

  @Test("five workers in a mesh, each on its own thread, exchange frames and answers")
  func mesh() throws {
    let ids: [NodeID] = ["a", "b", "c", "d", "e"]
    let board = Board(count: ids.count)
    let members = ids.indices.map { position in
      TestThread { try Self.member(position, ids, board) }
    }
    for member in members { #expect(try member.value() == 4 * 50) }
  }

  /// Where the members of a mesh tell each other their addresses and when they are done.
  private final class Board: Sendable {
    private let addresses: Mutex<[HostPort?]>
    private let done = Mutex(0)
    init(count: Int) { addresses = Mutex(Array(repeating: nil, count: count)) }
    func set(_ address: HostPort, _ position: Int) { addresses.withLock { $0[position] = address } }
    var all: [HostPort]? {
      addresses.withLock { $0.contains(nil) ? nil : $0.compactMap { $0 } }
    }
    func finish() { done.withLock { $0 += 1 } }
    var finished: Int { done.withLock { $0 } }
  }

  private static func member(_ position: Int, _ ids: [NodeID], _ board: Board) throws -> Int {
    let member = try TCPNode(ids[position])
    board.set(member.acceptor.address, position)
    while board.all == nil { sched_yield() }
    let addresses = board.all ?? []
    member.node.configure(
      ids.indices.map { DataPeer(index: NodeIndex($0), id: ids[$0], address: addresses[$0]) })
    for other in ids.indices where other != position {
      for number in 0..<50 {
        try member.node.send(
          [UInt8](repeating: UInt8(number), count: 100 * number), to: NodeIndex(other), type: .dispatch)
      }
    }
    var answers = 0
    let limit = ContinuousClock.now + .seconds(60)
    while answers < 4 * 50 || board.finished < ids.count {
      member.node.poll()
      for case .frame(let peer, let type, let stream, let payload) in member.node.take() {
        if type == .dispatch {
          try member.node.send(payload, to: peer, type: .combine, stream: stream)
        } else {
          answers += 1
          if answers == 4 * 50 { board.finish() }
        }
      }
      guard ContinuousClock.now < limit else { break }
      member.plane.wait(until: ContinuousClock.now + .milliseconds(20))
    }
    return answers
  }
}
