import Foundation
import Testing

extension CommandLineTests {
  @Suite("recovery")
  struct RecoveryTests {
    private typealias Stage = TopologyText.Stage

    private static func text(_ stages: [TopologyText.Stage]) -> TopologyText {
      var text = TopologyText(["reef", "cove", "sound"], stages)
      text.context = 1024
      return text
    }

    private static let single = text([
      Stage(layers: "0-2", host: "reef", experts: ["reef": "0-3", "cove": "4-9", "sound": "10-15"]),
      Stage(layers: "3-5", host: "cove", experts: ["reef": "0-7", "cove": "8-11", "sound": "12-15"]),
    ])
    private static let replicas = text([
      Stage(layers: "0-2", host: "reef", experts: ["cove": "0-15", "sound": "0-15"]),
      Stage(layers: "3-5", host: "cove", experts: ["reef": "0-15", "sound": "0-15"]),
    ])

    /// Starts jobs, and waits until one of them has tokens.
    private func begin(_ known: KnownJobs, _ cluster: HandMadeCluster) throws -> [UInt64] {
      let ids = try known.submit(to: cluster)
      try cluster.waitUntil("tokens") { try cluster.job(ids[0]).tokens > 0 }
      return ids
    }

    @Test("each local worker of the default topology, killed in mid-generation, is started again")
    func localWorkers() throws {
      let known = try KnownJobs(5)
      let cluster = try HandMadeCluster(file: Workshop.topology)
      let wished = try cluster.show().placement
      for name in ["reef", "cove", "sound"] {
        let ids = try begin(known, cluster)
        let child = try #require(ProcessTable.process(of: cluster.coordinator.processIDs, with: ["--name", name]))
        kill(child, SIGKILL)
        try cluster.coordinator.waitForError("\(name) is lost")
        try cluster.waitUntil("\(name) is back") {
          let shown = try cluster.show()
          return shown.state == "running" && shown.placement == wished && shown.nodes[name]?.connected == true
        }
        let next = ProcessTable.process(of: cluster.coordinator.processIDs, with: ["--name", name])
        #expect(next != nil && next != child)
        #expect(try cluster.bytesMovedLast() == 0)
        try known.check(ids, of: cluster)
      }
      try cluster.stop()
    }

    @Test("a worker by hand, killed, is done without; started again, it gets its share back and nothing moves")
    func handMadeWorkers() throws {
      let known = try KnownJobs(5)
      for text in [Self.single, Self.replicas] {
        let stores = Dictionary(
          uniqueKeysWithValues: try text.nodes.keys.map { ($0, ["--store", try Workshop.folder("kill-\($0)").path]) })
        let cluster = try HandMadeCluster(text, arguments: stores)
        for name in ["sound", "reef", "cove"] {
          let epoch = try cluster.waitUntilRunning(text).epoch
          let ids = try begin(known, cluster)
          // They run on for long after the loss, however long it takes to ask for it.
          let later = try known.submit(to: cluster)
          try cluster.kill(name)
          try cluster.waitUntil("others do without \(name)") {
            try cluster.show().placement?.nodes.contains(name) == false
          }
          let shown = try cluster.show()
          // Where a replica answers instead, the placement may stay the same: it does unless a host says first that its
          // connection is gone (`CoordinatorRecoveryTests` have both, one by one).
          let isReplaced = text.stages == Self.replicas.stages && name == "sound"
          #expect(isReplaced ? shown.epoch >= epoch : shown.epoch > epoch, "\(name): \(epoch), \(shown.epoch)")
          #expect(shown.nodes[name]?.connected == false && shown.state == "preparing")
          #expect(shown.message.contains(name), "\(shown.message)")
          #expect(try cluster.jobs().contains { $0.state == "running" })
          try cluster.startAgain(name)
          try cluster.waitUntilRunning(text)
          #expect(try cluster.bytesMovedLast() == 0, "\(name)")
          for submitted in [ids, later] { try known.check(submitted, of: cluster) }
        }
        try cluster.stop()
      }
    }

    @Test("a stopped worker is found out although its connections live; it comes back when it goes on")
    func stopped() throws {
      let known = try KnownJobs(5)
      for text in [Self.single, Self.replicas] {
        let cluster = try HandMadeCluster(text)
        for name in ["sound", "reef", "cove"] {
          let ids = try begin(known, cluster)
          let worker = try cluster.worker(name)
          worker.send(SIGSTOP)
          defer { worker.send(SIGCONT) }
          try cluster.waitUntil("\(name) is found out") { try cluster.show().nodes[name]?.connected == false }
          try cluster.waitUntil("others do without \(name)") {
            try cluster.show().placement?.nodes.contains(name) == false
          }
          worker.send(SIGCONT)
          try cluster.waitUntilRunning(text)
          try known.check(ids, of: cluster)
        }
        try cluster.stop()
      }
    }

    @Test("with no room left jobs wait and say why; they go on when a worker joins")
    func noCapacity() throws {
      let known = try KnownJobs(5)
      var text = Self.single
      // Enough for two of them, not for one.
      for name in text.nodes.keys { text.nodes[name]?.memory = "36MB" }
      let cluster = try HandMadeCluster(text)
      let ids = try begin(known, cluster)
      try cluster.kill("sound")
      try cluster.kill("cove")
      try cluster.waitUntil("jobs wait") {
        try cluster.jobs().filter { $0.state != "done" }.allSatisfy { $0.state == "waiting" && $0.reason != nil }
      }
      let waiting = try cluster.jobs().filter { $0.state == "waiting" }
      #expect(!waiting.isEmpty)
      for job in waiting { #expect(job.reason?.contains("reef") == true, "\(job)") }
      #expect(try !cluster.show().message.isEmpty)
      try cluster.startAgain("cove")
      try cluster.startAgain("sound")
      try cluster.waitUntilRunning(text)
      try known.check(ids, of: cluster)
      try cluster.stop()
    }
  }
}
