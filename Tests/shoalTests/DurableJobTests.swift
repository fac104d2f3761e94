import Foundation
import Testing

extension CommandLineTests {
  @Suite("durable jobs")
  struct DurableJobTests {
    private static let text = LongGeneration.topology
    private static let quick = ["--tokens", "1,2,3", "--max-tokens", "8", "--seed", "3", "--ignore-eos"]

    private func finish(_ cluster: HandMadeCluster, _ ids: [UInt64]) throws {
      try cluster.waitUntil("all done") { try ids.allSatisfy { try cluster.job($0).state == "done" } }
    }

    @Test("submit prints the id alone; jobs lists it; attach prints what generate prints, before and after the end")
    func attach() throws {
      var text = Self.text
      text.sequences = 2
      let known = try KnownJobs(6, maxTokens: 500)
      let cluster = try HandMadeCluster(text)
      let ids = try known.submit(to: cluster)
      #expect(Set(ids).count == 6 && ids == ids.sorted())
      let early = try [cluster.attach(ids[0]), cluster.attach(ids[0]), cluster.attach(ids[5], [])]
      let listed = try cluster.jobs()
      #expect(listed.map(\.id).sorted() == ids)
      #expect(listed.allSatisfy { ["waiting", "running", "done"].contains($0.state) })
      #expect(listed.allSatisfy { (try? Date($0.created, strategy: .iso8601)) != nil })
      #expect(listed.count { $0.state == "running" } <= 2)
      #expect(listed.filter { $0.state == "waiting" }.allSatisfy { $0.tokens == 0 })
      #expect(try early[0].answers()[0].tokens == known.tokens[0])
      #expect(try early[1].answers()[0].tokens == known.tokens[0])
      let streamed = try early[2].finish()
      let whole = try cluster.attach(ids[5]).answers()[0]
      #expect(streamed.status == 0 && streamed.text == whole.text + "\n")
      #expect(whole.stopReason == "length" && whole.seed == 7)
      try known.check(ids, of: cluster)
      #expect(try cluster.jobs().allSatisfy { $0.state == "done" && $0.tokens == 500 && $0.reason == nil })
      try cluster.stop()
    }

    @Test("a coordinator that was killed goes on with its jobs: same ids, same tokens, no weights moved")
    func restart() throws {
      var text = Self.text
      text.sequences = 2
      let known = try KnownJobs(10)
      let cluster = try HandMadeCluster(text)
      let ids = try known.submit(to: cluster)
      let attached = try [cluster.attach(ids[0]), cluster.attach(ids[5])]
      for signal in [SIGKILL, SIGTERM, SIGKILL] {
        let before = try cluster.jobs()
        try cluster.waitUntil("tokens come") {
          zip(try cluster.jobs(), before).contains { $0.tokens > $1.tokens }
        }
        try cluster.restartCoordinator(signal)
        #expect(try cluster.jobs().map(\.id) == before.map(\.id))
        #expect(try cluster.bytesMovedLast() == 0)
      }
      for (process, tokens) in zip(attached, [known.tokens[0], known.tokens[5]]) {
        #expect(try process.answers()[0].tokens == tokens)
      }
      try known.check(ids, of: cluster)
      try cluster.restartCoordinator(SIGKILL)
      // Those that have ended are still there, and ids are not given twice.
      try known.check(ids, of: cluster)
      #expect(try cluster.submit(Self.quick) > ids.max() ?? 0)
      try cluster.stop()
    }

    @Test("a job that waits and one that runs can be cancelled; the others go on, and it stays so")
    func cancel() throws {
      var text = Self.text
      text.sequences = 1
      let known = try KnownJobs(4)
      let cluster = try HandMadeCluster(text)
      let ids = try known.submit(to: cluster)
      let attached = try cluster.attach(ids[0])
      try cluster.waitUntil("tokens") { try cluster.job(ids[0]).tokens > 0 }
      for id in [ids[0], ids[3]] {
        #expect(try RunningShoal.run(["cancel", "\(id)", "--coordinator", cluster.address]).status == 0)
        try cluster.waitUntil("cancelled") { try cluster.job(id).state == "cancelled" }
      }
      let answer = try attached.answers()[0]
      #expect(answer.stopReason == "cancelled" && answer.tokens.count < 900)
      #expect(answer.tokens[...] == known.tokens[0].prefix(answer.tokens.count))
      for index in [1, 2] { #expect(try cluster.tokens(ids[index]) == known.tokens[index]) }
      try cluster.restartCoordinator(SIGKILL)
      #expect(try cluster.jobs().map(\.state) == ["cancelled", "done", "done", "cancelled"])
      for command in ["cancel", "attach"] {
        let outcome = try RunningShoal.run([command, "4711", "--coordinator", cluster.address])
        #expect(outcome.status == 64 && outcome.errors.contains("4711"), "\(outcome.errors)")
      }
      try cluster.stop()
    }

    @Test("a job that would get other tokens now has failed, and says why", arguments: ["kv", "combine", "model"])
    func mismatch(_ what: String) throws {
      let cluster = try HandMadeCluster(Self.text)
      let done = try cluster.submit(Self.quick)
      try finish(cluster, [done])
      let id = try cluster.submit(["--tokens", "1,2,3", "--max-tokens", "1000", "--ignore-eos"])
      try cluster.restartCoordinator(SIGKILL) {
        var text = Self.text
        switch what {
        case "kv": text.extra["kv"] = "f32"
        case "combine": text.extra["combine"] = "compact"
        default:
          var bytes = try Data(contentsOf: Workshop.model)
          bytes[bytes.count - 1000] ^= 1
          text.model = try Workshop.file("mismatch.gguf", bytes).path
        }
        try cluster.save(text)
      }
      let job = try cluster.job(id)
      #expect(job.state == "failed" && job.reason?.contains(what) == true, "\(job)")
      #expect(try cluster.job(done).state == "done")
      let attached = try cluster.attach(id).finish()
      #expect(attached.status != 0 && attached.errors.contains(what), "\(attached.errors)")
      let next = try cluster.submit(Self.quick)
      try finish(cluster, [next])
      try cluster.stop()
    }

    @Test("a torn end of the journal is cut off, a damaged middle is refused with its offset")
    func journal() throws {
      let known = try KnownJobs(2, maxTokens: 50)
      let cluster = try HandMadeCluster(Self.text)
      let ids = try known.submit(to: cluster)
      try known.check(ids, of: cluster)
      let journal = URL(filePath: cluster.state + "/journal")
      var bytes = Data()
      try cluster.restartCoordinator(SIGTERM) {
        bytes = try Data(contentsOf: journal)
        try (bytes + bytes.suffix(40)).write(to: journal)
      }
      #expect(cluster.coordinator.errorText.contains("40 bytes"), "\(cluster.coordinator.errorText)")
      try known.check(ids, of: cluster)

      cluster.coordinator.send(SIGTERM)
      _ = try cluster.coordinator.finish()
      bytes = try Data(contentsOf: journal)
      // Behind the head of the first record.
      bytes[50] ^= 1
      try (bytes + bytes.dropFirst(16)).write(to: journal)
      let damaged = try Data(contentsOf: journal)
      let outcome = try RunningShoal.run(
        ["serve", "--topology", cluster.topology, "--listen", cluster.address, "--state", cluster.state])
      #expect(outcome.status == 65 && outcome.errors.contains("16"), "\(outcome.errors)")
      #expect(outcome.errors.contains(journal.path), "\(outcome.errors)")
      #expect(try Data(contentsOf: journal) == damaged)
      for worker in cluster.workers.values { worker.send(SIGTERM) }
      for worker in cluster.workers.values { #expect(try worker.finish().status == 0) }
    }

    @Test("one state folder is for one coordinator")
    func secondServe() throws {
      let cluster = try HandMadeCluster(Self.text)
      let outcome = try RunningShoal.run(
        ["serve", "--topology", cluster.topology, "--listen", "127.0.0.1:0", "--state", cluster.state])
      #expect(outcome.status == 69 && outcome.errors.contains(cluster.state), "\(outcome.errors)")
      let id = try cluster.submit(Self.quick)
      try finish(cluster, [id])
      try cluster.stop()
    }

    @Test("a start with a wrong topology runs the last accepted one and shows what is wrong")
    func wrongTopology() throws {
      let cluster = try HandMadeCluster(Self.text)
      let good = try cluster.waitUntilRunning(Self.text)
      var wrong = Self.text
      wrong.stages[0].host = "nemo"
      try cluster.restartCoordinator(SIGKILL) { try cluster.save(wrong) }
      let shown = try cluster.show()
      #expect(shown.state == "refused" && shown.message.contains("nemo"), "\(shown.message)")
      #expect(shown.placement == good.placement)
      let id = try cluster.submit(Self.quick)
      try finish(cluster, [id])
      try cluster.save(Self.text)
      try cluster.waitUntilRunning(Self.text)
      try cluster.stop()
    }

    @Test("serve takes jobs while workers are missing, and runs them when the workers come")
    func missingWorkers() throws {
      let known = try KnownJobs(2, maxTokens: 50)
      let cluster = try HandMadeCluster(Self.text)
      try cluster.restartCoordinator(SIGTERM, awaits: "listening on") {
        for name in Self.text.nodes.keys { try cluster.kill(name) }
      }
      let ids = try known.submit(to: cluster)
      try cluster.waitUntil("jobs say what they wait for") {
        try cluster.jobs().allSatisfy { $0.state == "waiting" && $0.reason?.contains("waiting for") == true }
      }
      #expect(try cluster.show().placement == nil)
      for name in Self.text.nodes.keys.sorted() { try cluster.startAgain(name) }
      try known.check(ids, of: cluster)
      try cluster.waitUntilRunning(Self.text)
      try cluster.stop()
    }
  }
}
