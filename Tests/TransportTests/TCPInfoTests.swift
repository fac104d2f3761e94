import Glibc
import Testing

@testable import Transport

@Suite struct TCPInfoTests {
  @Test("what a peer's system has, and what it has not, is known")
  func counts() throws {
    let listener = try RawListener()
    let near = try RawSocket(port: listener.port)
    let far = listener.accept()
    far.write([1, 2, 3])
    #expect(near.read(3) == [1, 2, 3])
    let before = try #require(TCPInfo(of: near.descriptor))
    #expect(before.received == 3 && before.pending == 0)
    // More than the buffers hold, to a peer that does not read.
    _ = fcntl(near.descriptor, F_SETFL, O_NONBLOCK)
    var sent = 0
    let chunk = [UInt8](repeating: 1, count: 1 << 16)
    while true {
      let count = Glibc.send(near.descriptor, chunk, chunk.count, Int32(MSG_NOSIGNAL))
      guard count > 0 else { break }
      sent += count
    }
    let during = try #require(TCPInfo(of: near.descriptor))
    #expect(during.pending > 0)
    // Together they are what was sent, but for a byte that the handshake may count as.
    let total = during.acknowledged - before.acknowledged + during.pending
    #expect(total.distance(to: UInt64(sent)).magnitude <= 1)
    #expect(far.read(sent).count == sent)
    far.write([4])
    #expect(fcntl(near.descriptor, F_SETFL, 0) == 0)
    #expect(near.read(1) == [4])
    let after = try #require(TCPInfo(of: near.descriptor))
    #expect(after.received == 4 && after.pending == 0)
    #expect(after.acknowledged == before.acknowledged + UInt64(sent))
  }

  @Test("what is no TCP socket has none")
  func other() {
    #expect(TCPInfo(of: -1) == nil)
    let pipe = PipeWaker()
    #expect(TCPInfo(of: pipe.readEnd) == nil)
  }
}
