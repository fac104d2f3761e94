import Logging
import ModelSpec
import Synchronization
import Tensors
import Testing
import Transport
import Wire

@Suite struct WeightTests {
  private struct NoSuchPiece: Error, CustomStringConvertible {
    let description = "no such piece here"
  }

  private let clients = Mailbox<WeightClient>(capacity: 4)
  private let ends = Mailbox<TransportError?>(capacity: 4)
  private let acceptor: Acceptor

  init() throws {
    let clients = clients
    acceptor = try Acceptor(
      listen: HostPort(host: "127.0.0.1", port: 0), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      handlers: [.weights: { clients.post(WeightClient(descriptor: $0, remote: $1)) }])
  }

  /// Byte `index` of a piece.
  private static func byte(_ piece: PieceID, _ index: Int) -> UInt8 {
    let seed = piece == .output ? 17 : 3
    return UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8 &+ seed)
  }

  private func serve() throws -> (WeightServer, WeightClient) {
    let ends = ends
    let server = try WeightServer(dial: acceptor.address, timeout: .seconds(20)) { piece, offset, target in
      guard piece != .embedding else { throw NoSuchPiece() }
      for index in target.indices { target[index] = Self.byte(piece, offset + index) }
    } ended: {
      ends.post($0)
    }
    clients.wait(until: ContinuousClock.now + .seconds(20))
    return (server, try #require(clients.take()))
  }

  private func read(_ client: WeightClient, _ piece: PieceID, _ offset: Int, _ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBytes { try client.read(piece, offset: offset, into: $0) }
    return bytes
  }

  @Test("pieces of all sizes arrive, in frames of at most 256 KiB")
  func pieces() throws {
    let (server, client) = try serve()
    for (piece, offset, count) in [
      (PieceID.output, 0, 1), (.trunk(3), 0, 1 << 18), (.output, 5, 3_000_001), (.output, 0, 0),
    ] {
      let bytes = try read(client, piece, offset, count)
      #expect(bytes == (0..<count).map { Self.byte(piece, offset + $0) })
    }
    // Preface and 14 requests of 28 bytes and their headers.
    #expect(server.vitals?.bytesReceived == 8 + 14 * (28 + 48))
    #expect(server.vitals?.bytesAcknowledged ?? 0 > 3_000_000)
    // 1 + 1 + 12 frames: heads of 20 bytes and headers of 48.
    let overhead = 14 * (20 + 48)
    let sent = UInt64(3_000_002 + 262_144 + overhead)
    client.close()
    ends.wait(until: ContinuousClock.now + .seconds(20))
    #expect(ends.take()??.code == .closed)
    #expect(server.vitals == nil)
    #expect(server.counters.weightBytes == sent && server.counters.weightFrames == 14)
    #expect(client.counters.weightFrames == 14)
  }

  @Test("a refused piece says why, and the connection goes on")
  func refused() throws {
    let (server, client) = try serve()
    for _ in 0..<3 {
      let error = #expect(throws: TransportError.self) { try read(client, .embedding, 0, 2 << 20) }
      #expect(error?.code == .refused && error?.message.contains("no such piece here") == true)
      #expect(try read(client, .output, 0, 100) == (0..<100).map { Self.byte(.output, $0) })
    }
    server.stop()
  }

  @Test("a server that stops ends the reads of its client")
  func stopped() throws {
    let (server, client) = try serve()
    server.stop()
    ends.wait(until: ContinuousClock.now + .seconds(20))
    #expect(ends.take() == .some(nil))
    let error = #expect(throws: TransportError.self) { try read(client, .output, 0, 100) }
    #expect(error?.code == .closed)
    #expect(throws: TransportError.self) { try read(client, .output, 0, 100) }
  }

  @Test("a server that nobody answers reports the address")
  func unreachable() throws {
    let address = acceptor.address
    acceptor.stop()
    let ends = ends
    let server = try WeightServer(dial: address, timeout: .milliseconds(120)) { _, _, _ in
    } ended: {
      ends.post($0)
    }
    ends.wait(until: ContinuousClock.now + .seconds(20))
    let error = try #require(ends.take() ?? nil)
    #expect(error.code == .unreachable && error.message.contains("\(address)"))
    server.stop()
  }

  @Test("answers that do not fit the question end the connection")
  func lies() throws {
    let socket = try RawSocket(port: acceptor.address.port)
    socket.write(ConnectionPreface(plane: .weights).bytes)
    clients.wait(until: ContinuousClock.now + .seconds(20))
    let client = try #require(clients.take())
    let payload = PieceDataHead(piece: .output, offset: 1).payload + [1, 2, 3, 4]
    var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount) + payload
    bytes.withUnsafeMutableBytes { bytes in
      FrameHeader(
        type: .pieceData, epoch: PlacementEpoch(rawValue: 0), term: CoordinatorTerm(rawValue: 0), stream: 0,
        payload: UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...])
      ).write(to: bytes)
    }
    socket.write(bytes)
    let error = #expect(throws: TransportError.self) { try read(client, .output, 0, 4) }
    #expect(error?.code == .protocolViolation)
    #expect(throws: TransportError.self) { try read(client, .output, 0, 4) }
  }
}
