import Foundation
import Testing
import Wire

extension CommandLineTests {
  @Suite("hostile peers")
  struct HostilePeerTests {
    @Test("whatever is sent to a worker's port, it closes that connection and goes on computing")
    func garbage() throws {
      let cluster = try HandMadeCluster(LongGeneration.topology)
      let settings = LongGeneration.arguments(answers: 2) + ["--json"]
      let client = try cluster.client(settings)
      try client.waitForOutput("tokens")
      let address = try #require(cluster.addresses["cove"])
      var random = SeededRandom(1)
      let noise = (0..<5000).map { _ in UInt8.random(in: 0...255, using: &random) }
      var attacks = [noise, Array("GET / HTTP/1.0\r\n\r\n".utf8)]
      for plane in [ConnectionPlane.control, .data] {
        attacks += [HostileFrames.huge(plane: plane), HostileFrames.largest(plane: plane)]
        attacks.append(ConnectionPreface(plane: plane).bytes + noise)
      }
      attacks.append(ConnectionPreface(plane: .control, version: 77).bytes)
      for (index, bytes) in attacks.enumerated() {
        #expect(try FakePeer.call(address, bytes), "attack \(index) was not closed")
      }
      // A weights connection is only read when weights are wanted.
      for _ in 0..<8 { try FakePeer.send(address, HostileFrames.huge(plane: .weights)) }
      let answers = try client.answers()
      let quiet = try cluster.client(settings).answers()
      #expect(answers.count == 2)
      #expect(answers.map(\.tokens) == quiet.map(\.tokens))
      try cluster.stop()
    }

    @Test("a worker of another protocol version: both versions are named, at once")
    func otherVersion() throws {
      let peer = try FakePeer(reply: ConnectionPreface(plane: .control, version: 9).bytes)
      defer { peer.stop() }
      let file = try TopologyText.three.with(["cove": peer.address]).write("version.json")
      let outcome = try RunningShoal.run(["generate", "x", "--topology", file])
      #expect(outcome.status == 69)
      #expect(outcome.errors.contains("cove"))
      #expect(outcome.errors.contains("version 9") && outcome.errors.contains("version 4"), "\(outcome.errors)")
    }

    @Test("peers that cannot be reached, say nothing, or announce 2^62 bytes are given up, by name")
    func badPeers() throws {
      let silent = try FakePeer(reply: [])
      let huge = try FakePeer(reply: HostileFrames.huge(plane: .control))
      let web = try FakePeer(reply: Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
      let gone = try FakePeer(reply: [])
      gone.stop()
      let peers = [silent, huge, web, gone]
      // Side by side, as each of them is given its ten seconds.
      let running = try peers.enumerated().map { index, peer in
        let file = try TopologyText.three.with(["sound": peer.address]).write("peer-\(index).json")
        return try RunningShoal(["generate", "x", "--topology", file])
      }
      for (process, peer) in zip(running, peers) {
        let outcome = try process.finish()
        #expect(outcome.status == 69)
        #expect(outcome.text.isEmpty)
        #expect(outcome.errors.contains("sound (\(peer.address))"), "\(outcome.errors)")
      }
      for peer in peers { peer.stop() }
    }

    @Test("a coordinator that is none, or not there, ends a client with 69")
    func badCoordinator() throws {
      let peer = try FakePeer(reply: HostileFrames.huge(plane: .control))
      defer { peer.stop() }
      let gone = try FakePeer(reply: [])
      gone.stop()
      for address in [peer.address, gone.address] {
        let outcome = try RunningShoal.run(["generate", "x", "--coordinator", address])
        #expect(outcome.status == 69)
        #expect(outcome.errors.contains(address), "\(outcome.errors)")
      }
    }
  }
}
