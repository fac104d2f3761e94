import ModelSpec
import Tensors
import Testing
import Wire

@Suite struct PeerMessageTests {
  private func check<Message: WireMessage>(_ message: Message) throws {
    let bytes = message.payload
    let decode = { (bytes: [UInt8]) throws(WireError) -> Message in
      try bytes.decoding { (bytes) throws(WireError) in try Message(payload: bytes) }
    }
    #expect(try decode(bytes) == message)
    for count in 0..<bytes.count { #expect(throws: WireError.self) { try decode(Array(bytes.prefix(count))) } }
    #expect(throws: WireError.self) { try decode(bytes + [0]) }
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= 0xFF
      do throws(WireError) { #expect(try decode(changed).payload == changed) } catch {
        #expect(error.offset <= bytes.count)
      }
    }
  }

  @Test("messages between workers and of the weights connection come back as they went, or are refused")
  func roundTrips() throws {
    try check(
      PeerHello(cluster: Samples.cluster, term: CoordinatorTerm(rawValue: 3), sender: "cove", receiver: "reef"))
    try check(ExchangeFailed(layer: 3, pass: 65_535, part: 255, sentence: "no"))
    try check(KeyValuesEnd(slabCount: 1 << 40))
    for piece in [PieceID.header, .embedding, .trunk(4095), .expert(0, 65_534), .output] {
      try check(PieceRequest(piece: piece, offset: 1 << 40, byteCount: WireLimits.pieceChunkBytes))
      try check(PieceDataHead(piece: piece, offset: 0))
      try check(
        StoredPieceRequest(model: Samples.digest, piece: piece, digest: Samples.digest, offset: 1 << 40, byteCount: 1))
      try check(PieceRefused(piece: piece, sentence: "no such file"))
    }
    #expect(PieceDataHead(piece: .output, offset: 1).payload.count == PieceDataHead.byteCount)
  }

  @Test("more than a chunk, nothing, or a place beyond all files cannot be asked for")
  func limits() {
    for (offset, count) in [(0, 0), (0, WireLimits.pieceChunkBytes + 1), (1 << 57, 1)] {
      let bytes = PieceRequest(piece: .output, offset: offset, byteCount: count).payload
      #expect(throws: WireError.self) {
        try bytes.decoding { (bytes) throws(WireError) in try PieceRequest(payload: bytes) }
      }
      let stored = StoredPieceRequest(
        model: Samples.digest, piece: .output, digest: Samples.digest, offset: offset, byteCount: count
      ).payload
      #expect(throws: WireError.self) {
        try stored.decoding { (bytes) throws(WireError) in try StoredPieceRequest(payload: bytes) }
      }
    }
  }

  @Test("a cluster id reads its own hexadecimal digits and nothing else")
  func clusterID() {
    let id = Samples.cluster
    #expect(id.hexadecimal == "00112233445566778899aabbccddeeff")
    #expect(ClusterID(hexadecimal: id.hexadecimal) == id)
    #expect(id.description == "00112233")
    for text in ["", "0011", String(repeating: "g", count: 32), "+" + String(repeating: "0", count: 31)] {
      #expect(ClusterID(hexadecimal: text) == nil)
    }
    #expect(ClusterID.random() != ClusterID.random())
  }
}
