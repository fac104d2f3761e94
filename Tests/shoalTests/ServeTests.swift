import Foundation
import Testing
import Wire

extension CommandLineTests {
  @Suite("workers and coordinator by hand")
  struct ServeTests {
    private static let settings = ["--max-tokens", "40", "--seed", "11", "--ignore-eos", "--json"]

    private static let greedy = ["--temperature", "0", "--ignore-eos", "--json"]

    private func alone(_ prompt: String) throws -> [Int] {
      try RunningShoal.generate([prompt, "--topology", "none"] + Self.settings.dropLast())[0].tokens
    }

    @Test("clients come and go, also violently; a cluster of mixed kernels answers like one process")
    func clients() throws {
      let cluster = try HandMadeCluster(
        LongGeneration.topology, arguments: ["reef": ["--kernels", "scalar"], "cove": ["--kernels", "avx2"]])
      let first = try cluster.client(["The wolf said"] + Self.settings)
      let second = try cluster.client(["A queen had"] + Self.settings)
      let answers = try [first, second].map { try $0.answers()[0] }
      #expect(try answers[0].tokens == alone("The wolf said"))
      #expect(try answers[1].tokens == alone("A queen had"))
      #expect(answers[0].wire.nodes.count == 4)

      let killed = try cluster.client(LongGeneration.arguments)
      try killed.waitForOutput(" ")
      killed.send(SIGKILL)
      #expect(try killed.finish().status == 128 + SIGKILL)
      let interrupted = try cluster.client(LongGeneration.arguments)
      try interrupted.waitForOutput(" ")
      interrupted.send(SIGINT)
      #expect(try interrupted.finish().status == 128 + SIGINT)
      let third = try cluster.client(["The wolf said"] + Self.settings)
      #expect(try third.answers()[0].tokens == answers[0].tokens)
      try cluster.stop()
    }

    @Test("a client's mistakes are its own")
    func badClient() throws {
      let cluster = try HandMadeCluster(LongGeneration.topology)
      let outside = try cluster.client(["--tokens", "1,99999"]).finish()
      #expect(outside.status == 64)
      #expect(outside.errors.contains("99999"))
      let long = try cluster.client([String(repeating: "word ", count: 3000)]).finish()
      #expect(long.status == 65)
      #expect(long.errors.contains("context"))
      for bytes in [Array("GET / HTTP/1.1\r\n\r\n".utf8), HostileFrames.huge(plane: .control)] {
        #expect(try FakePeer.call(cluster.address, bytes))
      }
      #expect(try cluster.client(["The wolf said"] + Self.settings).finish().status == 0)
      try cluster.stop()
    }

    @Test("a coordinator that starts again, even after kill -9, finds the weights where they were")
    func restart() throws {
      let cache = try Workshop.folder("restart-cache").path
      let text = LongGeneration.topology
      let cluster = try HandMadeCluster(
        text, arguments: text.nodes.mapValues { _ in ["--store", cache] })
      let client = try cluster.client(["The wolf said"] + Self.settings)
      let tokens = try client.answers()[0].tokens
      for signal in [SIGTERM, SIGKILL] {
        // Not from the store: it is gone. What stays is in the workers' memory.
        _ = try Workshop.folder("restart-cache")
        try cluster.restartCoordinator(signal)
        let again = try cluster.client(["The wolf said"] + Self.settings).answers()[0]
        #expect(again.tokens == tokens)
        #expect(again.wire.weightBytes == 0)
      }
      try cluster.stop()
    }

    @Test("what went over the wire is counted anew for each coordinator")
    func traffic() throws {
      let text = TopologyText.three
      let workers = try text.nodes.mapValues { _ in
        try RunningShoal(["worker", "--listen", "127.0.0.1:0", "--threads", "1"])
      }
      let file = try text.with(workers.mapValues { try $0.waitForAddress() }).write("traffic.json")
      let arguments = [
        "--topology", file, "--tokens", "1,2,3", "--max-tokens", "30", "--temperature", "0", "--ignore-eos",
      ]
      let first = try RunningShoal.generate(arguments)[0].wire
      let second = try RunningShoal.generate(arguments)[0].wire
      #expect(second.weightBytes == 0)
      #expect(second.roundTrips == first.roundTrips)
      // Progress and signs of life differ.
      #expect(abs(second.bytes - first.bytes) < first.bytes / 20)
      for worker in workers.values { worker.send(SIGTERM) }
      for worker in workers.values { #expect(try worker.finish().status == 0) }
    }

    @Test("a worker serves one coordinator at a time")
    func secondCoordinator() throws {
      let cluster = try HandMadeCluster(LongGeneration.topology)
      let outcome = try RunningShoal.run(["generate", "x", "--topology", cluster.topology])
      #expect(outcome.status == 69)
      #expect(outcome.errors.contains("refused"))
      #expect(try cluster.client(["The wolf said"] + Self.settings).finish().status == 0)
      try cluster.stop()
    }

    @Test("a worker killed in mid-generation: the others go on in its place, and nobody's tokens change")
    func workerKilled() throws {
      let cluster = try HandMadeCluster(LongGeneration.topology)
      let client = try cluster.client(["--tokens", "1,2,3", "--max-tokens", "1000"] + Self.greedy)
      let other = try cluster.client(["--tokens", "4,5,6", "--max-tokens", "1000"] + Self.greedy)
      try cluster.kill("sound")
      let alone = try RunningShoal.generate(
        ["--topology", "none", "--model", Workshop.model.path, "--context", "1024", "--tokens", "1,2,3"]
          + ["--tokens", "4,5,6", "--max-tokens", "1000"] + Self.greedy.dropLast())
      #expect(try client.answers()[0].tokens == alone[0].tokens)
      #expect(try other.answers()[0].tokens == alone[1].tokens)
      try cluster.coordinator.waitForError("sound is lost")
      cluster.coordinator.send(SIGTERM)
      #expect(try cluster.coordinator.finish().status == 0)
      for name in ["reef", "cove"] {
        let worker = try cluster.worker(name)
        worker.send(SIGTERM)
        #expect(try worker.finish().status == 0)
      }
    }

    @Test("a worker's time grows as its share of the experts")
    func shares() throws {
      var text = TopologyText(
        ["trunk", "few", "many"], [.init(layers: "0-5", host: "trunk", experts: ["few": "0-2", "many": "3-15"])])
      text.context = 1024
      let cluster = try HandMadeCluster(text)
      let workers = try ["few", "many"].map { try cluster.worker($0).processID }
      let before = try workers.map { try ProcessTable.cpuTime($0) }
      let prompts = (0..<24).flatMap { round in
        let ids = (0..<1000).map { index in "\((index * 31 + round * 7) % 2000)" }
        return ["--tokens", ids.joined(separator: ",")]
      }
      let client = try cluster.client(prompts + ["--max-tokens", "1", "--json"])
      #expect(try client.answers().count == 24)
      let after = try workers.map { try ProcessTable.cpuTime($0) }
      let times = zip(before, after).map { $1 - $0 }
      print("ticks of the worker with 3 and the one with 13 of 16 experts: \(times)")
      #expect(times[1] > 2 * times[0], "\(times)")
      try cluster.stop()
    }
  }
}
