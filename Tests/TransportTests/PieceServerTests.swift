import Logging
import ModelSpec
import Tensors
import Testing
import Transport
import Wire

/// One worker asks another for pieces, over loopback.
@Suite struct PieceServerTests {
  private struct NoSuchPiece: Error, CustomStringConvertible {
    let description = "this worker does not hold it"
  }

  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  private static let model = digest(1)
  private static let pieceBytes = 3_000_001

  private let server: PieceServer
  private let acceptor: Acceptor

  init() throws {
    server = PieceServer(logger: Self.quiet) { hello in
      hello.cluster == DataNode.cluster && hello.receiver == "reef"
    } read: { model, piece, digest, offset, target in
      guard model == Self.model, piece == .trunk(3), digest == Self.digest(2),
        offset <= Self.pieceBytes, target.count <= Self.pieceBytes - offset
      else { throw NoSuchPiece() }
      for index in target.indices { target[index] = Self.byte(offset + index) }
    }
    acceptor = try Acceptor(
      listen: HostPort(host: "127.0.0.1", port: 0), logger: Self.quiet, handlers: [.pieces: server.adopt])
  }

  private static func digest(_ seed: UInt8) -> Digest {
    guard let digest = Digest(bytes: [UInt8](repeating: seed, count: Digest.byteCount)) else {
      preconditionFailure("a digest takes 32 bytes")
    }
    return digest
  }

  private static func byte(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8) }

  private static func hello(_ sender: NodeID = "cove", to receiver: NodeID = "reef") -> PeerHello {
    PeerHello(cluster: DataNode.cluster, term: CoordinatorTerm(rawValue: 1), sender: sender, receiver: receiver)
  }

  private func client(_ sender: NodeID = "cove", to receiver: NodeID = "reef") throws -> PieceClient {
    try PieceClient(dial: acceptor.address, as: Self.hello(sender, to: receiver), timeout: .seconds(20))
  }

  private static func read(
    _ client: PieceClient, offset: Int = 0, count: Int, digest: Digest = digest(2)
  ) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBytes {
      try client.read(model: model, piece: .trunk(3), digest: digest, offset: offset, into: $0)
    }
    return bytes
  }

  @Test("pieces and parts of them arrive whole, in frames of at most 256 KiB")
  func pieces() throws {
    let client = try client()
    for (offset, count) in [(0, Self.pieceBytes), (5, 1), (7, 1 << 18), (Self.pieceBytes - 3, 3), (0, 0)] {
      let bytes = try Self.read(client, offset: offset, count: count)
      #expect(bytes == (0..<count).map { Self.byte(offset + $0) })
    }
    // The hello, then 12 + 1 + 1 + 1 requests.
    #expect(client.counters.weightFrames == 16)
    client.close()
    #expect(throws: TransportError.self) { try Self.read(client, count: 1) }
    #expect(server.counters.weightBytes >= UInt64(Self.pieceBytes + 4 + 1 << 18))
  }

  @Test("what the other worker does not have is refused with its reason, and the connection goes on")
  func refused() throws {
    let client = try client()
    for (offset, count, digest) in [
      (0, 2 << 20, Self.digest(9)), (Self.pieceBytes, 1, Self.digest(2)), (1 << 50, 7, Self.digest(2)),
    ] {
      let error = #expect(throws: TransportError.self) {
        try Self.read(client, offset: offset, count: count, digest: digest)
      }
      #expect(error?.code == .refused && error?.message.contains("does not hold it") == true)
      #expect(error?.message.contains("reef") == true)
    }
    #expect(try Self.read(client, count: 100).count == 100)
  }

  @Test("two workers are served at once")
  func two() throws {
    let threads = try ["cove", "sound"].map { name in
      let client = try client(NodeID(name))
      return TestThread {
        try (0..<20).map { round in
          try Self.read(client, offset: 1000 * round, count: 300_000)
            == (0..<300_000).map { Self.byte(1000 * round + $0) }
        }
      }
    }
    for thread in threads { #expect(try thread.value() == Array(repeating: true, count: 20)) }
  }

  @Test("a connection that is not welcome is closed, and its first read says so")
  func unwelcome() throws {
    let client = try client(to: "sound")
    let error = #expect(throws: TransportError.self) { try Self.read(client, count: 1) }
    #expect(error?.code == .closed && error?.message.contains("sound") == true)
  }

  private static func frame(_ type: FrameType, _ payload: [UInt8]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount) + payload
    bytes.withUnsafeMutableBytes { bytes in
      FrameHeader(
        type: type, epoch: PlacementEpoch(rawValue: 0), term: CoordinatorTerm(rawValue: 0), stream: 0,
        payload: UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...])
      ).write(to: bytes)
    }
    return bytes
  }

  @Test("strangers without a hello, with two, with garbage or with what is no request are closed; others are served on")
  func strangers() throws {
    let greeting = Self.frame(.peerHello, Self.hello().payload)
    let request = StoredPieceRequest(
      model: Self.model, piece: .trunk(3), digest: Self.digest(2), offset: 0, byteCount: 4
    ).payload
    var tooMuch = request
    tooMuch.replaceSubrange(84..<92, with: [0, 0, 0, 0, 1, 0, 0, 0])
    for bytes in [
      Self.frame(.storedPieceRequest, request), [UInt8](repeating: 7, count: 5000), greeting + greeting,
      greeting + Self.frame(.pieceRequest, PieceRequest(piece: .output, offset: 0, byteCount: 1).payload),
      greeting + Self.frame(.pieceData, request), greeting + Self.frame(.storedPieceRequest, tooMuch),
      greeting + Self.frame(.storedPieceRequest, request.dropLast()), Self.frame(.peerHello, [1, 2, 3]),
    ] {
      let socket = try RawSocket(port: acceptor.address.port)
      socket.write(ConnectionPreface(plane: .pieces).bytes + bytes)
      #expect(socket.read(8) == ConnectionPreface(plane: .pieces).bytes)
      #expect(socket.isAtEnd())
    }
    #expect(try Self.read(client(), count: 10).count == 10)
  }

  @Test("a request that comes byte by byte is answered")
  func dripFeed() throws {
    let socket = try RawSocket(port: acceptor.address.port)
    let request = StoredPieceRequest(
      model: Self.model, piece: .trunk(3), digest: Self.digest(2), offset: 2, byteCount: 4
    ).payload
    let bytes =
      ConnectionPreface(plane: .pieces).bytes + Self.frame(.peerHello, Self.hello().payload)
      + Self.frame(.storedPieceRequest, request)
    for byte in bytes { socket.write([byte]) }
    #expect(socket.read(8) == ConnectionPreface(plane: .pieces).bytes)
    let expected = PieceDataHead(piece: .trunk(3), offset: 2).payload + (2..<6).map { Self.byte($0) }
    #expect(socket.read(FrameHeader.byteCount + expected.count) == Self.frame(.pieceData, expected))
  }

  @Test("no more than the limit are served, and a place is free again when one goes")
  func limit() throws {
    var clients = try (0..<PieceServer.connectionLimit).map { _ in try client() }
    for client in clients { #expect(try Self.read(client, count: 1).count == 1) }
    #expect(server.connectionCount == PieceServer.connectionLimit)
    #expect(throws: TransportError.self) { try Self.read(client(), count: 1) }
    clients.removeLast()
    let end = ContinuousClock.now + .seconds(20)
    while server.connectionCount == PieceServer.connectionLimit, ContinuousClock.now < end {}
    #expect(try Self.read(client(), count: 1).count == 1)
  }

  @Test("a server that stops ends its connections and takes no more")
  func stopped() throws {
    let client = try client()
    #expect(try Self.read(client, count: 1).count == 1)
    server.stop()
    #expect(throws: TransportError.self) { try Self.read(client, count: 1) }
    #expect(throws: TransportError.self) { try Self.read(self.client(), count: 1) }
  }

  /// What a client says to a listener that answers its first request with these bytes, and then does as told.
  private static func error(
    answer: [UInt8], patience: Duration = .seconds(20), closes: Bool = false
  ) throws -> TransportError? {
    let listener = try RawListener()
    let thread = TestThread {
      let socket = listener.accept()
      socket.write(ConnectionPreface(plane: .pieces).bytes)
      let asked =
        ConnectionPreface.byteCount + 2 * FrameHeader.byteCount + hello().payload.count
        + StoredPieceRequest(model: model, piece: .output, digest: model, offset: 0, byteCount: 1).payload.count
      _ = socket.read(asked)
      socket.write(answer)
      if closes { socket.finish() }
      return socket
    }
    let client = try PieceClient(dial: listener.address, as: hello(), timeout: .seconds(20), patience: patience)
    let error = #expect(throws: TransportError.self) { try read(client, count: 4) }
    // What was wrong once stays wrong.
    let again = #expect(throws: TransportError.self) { try read(client, count: 4) }
    #expect(error == again)
    _ = try thread.value()
    return error
  }

  @Test("answers of another length, place, piece or kind end the connection, whatever their checksums")
  func lies() throws {
    let right = PieceDataHead(piece: .trunk(3), offset: 0).payload
    for payload in [
      right + [1, 2, 3], right + [1, 2, 3, 4, 5], right,
      PieceDataHead(piece: .trunk(3), offset: 1).payload + [1, 2, 3, 4],
      PieceDataHead(piece: .output, offset: 0).payload + [1, 2, 3, 4], Array(right.prefix(5)),
    ] {
      #expect(try Self.error(answer: Self.frame(.pieceData, payload))?.code == .protocolViolation)
    }
    for (type, payload) in [
      (FrameType.peerHello, Self.hello().payload), (.combine, right), (.pieceRefused, [1]),
    ] {
      #expect(try Self.error(answer: Self.frame(type, payload))?.code == .protocolViolation)
    }
  }

  @Test("an answer that ends anywhere before its last byte is an error")
  func truncation() throws {
    let answer = Self.frame(.pieceData, PieceDataHead(piece: .trunk(3), offset: 0).payload + [1, 2, 3, 4])
    for count in 0..<answer.count {
      #expect(try Self.error(answer: Array(answer.prefix(count)), closes: true)?.code == .closed)
    }
  }

  @Test("a worker that falls silent, before the preface or after it, is given up")
  func silence() throws {
    #expect(try Self.error(answer: [], patience: .milliseconds(30))?.code == .timedOut)
    let listener = try RawListener()
    let error = #expect(throws: TransportError.self) {
      try PieceClient(dial: listener.address, as: Self.hello(), timeout: .milliseconds(30))
    }
    #expect(error?.code == .timedOut)
  }

  @Test("where nobody listens, or nobody with pieces, dialling fails at once with the address")
  func unreachable() throws {
    var reserved: RawListener? = try RawListener()
    let address = try #require(reserved).address
    reserved = nil
    let error = #expect(throws: TransportError.self) {
      try PieceClient(dial: address, as: Self.hello(), timeout: .seconds(3600))
    }
    #expect(error?.code == .unreachable && error?.message.contains("\(address)") == true)
    let other = try Acceptor(
      listen: HostPort(host: "127.0.0.1", port: 0), logger: Self.quiet, handlers: [:])
    let client = try PieceClient(dial: other.address, as: Self.hello(), timeout: .seconds(20))
    #expect(throws: TransportError.self) { try Self.read(client, count: 1) }
  }
}
