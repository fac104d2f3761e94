import Foundation
import Testing

extension CommandLineTests {
  @Suite("live edits")
  struct LiveEditTests {
    private typealias Stage = TopologyText.Stage

    private static let names = ["reef", "cove", "sound", "bay"]

    private static func text(_ nodes: [String], _ stages: [TopologyText.Stage]) -> TopologyText {
      var text = TopologyText(nodes, stages)
      text.context = 1024
      return text
    }

    private static let base = text(
      ["reef", "cove", "sound"],
      [
        Stage(layers: "0-2", host: "reef", experts: ["reef": "0-3", "cove": "4-9", "sound": "10-15"]),
        Stage(layers: "3-5", host: "cove", experts: ["reef": "0-7", "cove": "8-15"]),
      ])

    /// What is edited, one after the other, and who must have work to do afterwards.
    private static let edits: [(what: String, text: TopologyText, workers: [String])] = [
      (
        "experts",
        text(
          ["reef", "cove", "sound"],
          [
            Stage(layers: "0-2", host: "reef", experts: ["cove": "0-7", "sound": "8-15"]),
            Stage(layers: "3-5", host: "cove", experts: ["sound": "0-15"]),
          ]), ["cove", "sound"]
      ),
      (
        "replicas",
        text(
          ["reef", "cove", "sound"],
          [
            Stage(layers: "0-2", host: "reef", experts: ["cove": "0-15", "sound": "0-15"]),
            Stage(layers: "3-5", host: "cove", experts: ["reef": "0-15", "sound": "0-15"]),
          ]), ["cove", "sound", "reef"]
      ),
      (
        "stages",
        text(
          ["reef", "cove", "sound"],
          [
            Stage(layers: "0", host: "reef", experts: ["reef": "0-15"]),
            Stage(layers: "1-3", host: "sound", experts: ["sound": "0-15"]),
            Stage(layers: "4-5", host: "cove", experts: ["cove": "0-15"]),
          ]), ["reef", "sound", "cove"]
      ),
      (
        "hosts",
        text(
          ["reef", "cove", "sound"],
          [
            Stage(layers: "0", host: "cove", experts: ["reef": "0-15"]),
            Stage(layers: "1-3", host: "reef", experts: ["sound": "0-15"]),
            Stage(layers: "4-5", host: "sound", experts: ["cove": "0-15"]),
          ]), ["reef", "sound", "cove"]
      ),
      (
        "a node in, as host",
        text(
          names,
          [
            Stage(layers: "0-3", host: "bay", experts: ["bay": "0-7", "reef": "8-15"]),
            Stage(layers: "4-5", host: "sound", experts: ["cove": "0-15"]),
          ]), ["bay", "sound", "cove", "reef"]
      ),
      ("nodes out", text(["bay"], [Stage(layers: "0-5", host: "bay", experts: ["bay": "0-15"])]), ["bay"]),
      ("back", base, ["reef", "cove", "sound"]),
    ]

    @Test("whatever is edited while four sequences generate, the new holders answer and no token changes")
    func edits() throws {
      let known = try KnownJobs(8)
      let stores = Dictionary(
        uniqueKeysWithValues: try Self.names.map { ($0, ["--store", try Workshop.folder("edit-\($0)").path]) })
      let cluster = try HandMadeCluster(Self.base, arguments: stores, spares: ["bay"])
      // One node answers thousands of tokens a second: enough of them wait that some run whenever the machine is slow.
      var submitted = [try known.submit(to: cluster), try known.submit(to: cluster)]
      var epoch = try cluster.show().epoch
      for (index, edit) in Self.edits.enumerated() {
        let open = try cluster.jobs().count { ["waiting", "running"].contains($0.state) }
        if open < 16 { submitted.append(try known.submit(to: cluster)) }
        let diff = try cluster.diff(edit.text.with(cluster.addresses).write("diff.json"))
        #expect(!diff.isEmpty)
        try cluster.save(edit.text, index.isMultiple(of: 2) ? .inPlace : .byRename)
        let shown = try cluster.waitUntilRunning(edit.text)
        #expect(shown.epoch > epoch && shown.message.isEmpty, "\(edit.what)")
        epoch = shown.epoch
        // Frames come on top of the bytes of the pieces.
        #expect(try cluster.bytesMovedLast() <= diff.bytesMax + diff.bytesMax / 50, "\(edit.what)")
        let processes = try edit.workers.map { try cluster.worker($0).processID }
        let before = try processes.map { try ProcessTable.cpuTime($0) }
        try cluster.waitUntil("\(edit.what): \(edit.workers) have work") {
          try zip(processes, before).allSatisfy { try ProcessTable.cpuTime($0) > $1 }
        }
        #expect(try cluster.jobs().contains { $0.state == "running" }, "\(edit.what): nothing ran meanwhile")
      }
      for ids in submitted { try known.check(ids, of: cluster) }
      try cluster.stop()
    }

    @Test("topology diff names what moves, in text and JSON, and nothing for the placement that runs")
    func diff() throws {
      let cluster = try HandMadeCluster(Self.base, spares: ["bay"])
      let same = try Self.base.with(cluster.addresses).write("same.json")
      #expect(try cluster.diff(same).isEmpty)
      let file = try Self.edits[4].text.with(cluster.addresses).write("other.json")
      let diff = try cluster.diff(file)
      #expect(diff.added == ["bay"] && diff.removed.isEmpty)
      #expect(diff.hosts.contains { $0.layers == "0-2" && $0.from == "reef" && $0.to == "bay" }, "\(diff)")
      #expect(diff.bytesMax == diff.nodes.reduce(0) { $0 + $1.gainedBytes } && diff.bytesMax > 1_000_000)
      let text = String(
        decoding: try RunningShoal.output(["topology", "diff", file, "--coordinator", cluster.address]), as: UTF8.self)
      for part in ["bay", "host reef -> bay", "MB"] { #expect(text.contains(part), "\(text)") }
      try cluster.stop()
    }

    @Test("wrong saves are refused with line and reason, what runs runs on, and the next good save is taken")
    func refused() throws {
      let known = try KnownJobs(8)
      let cluster = try HandMadeCluster(Self.base)
      let ids = try known.submit(to: cluster)
      let before = try cluster.waitUntilRunning(Self.base)
      let good = try Data(contentsOf: URL(filePath: cluster.topology))
      for (bad, says, way) in try badSaves(good, cluster) {
        try cluster.save(bad, way)
        try cluster.waitUntil("refused: \(says)") { try cluster.show().state == "refused" }
        let shown = try cluster.show()
        for part in says { #expect(shown.message.contains(part), "\(says): \(shown.message)") }
        #expect(try #/\.json:[0-9]+:[0-9]+: /#.firstMatch(in: shown.message) != nil, "\(shown.message)")
        #expect(shown.placement == before.placement && shown.epoch == before.epoch)
        let tokens = try cluster.jobs().reduce(0) { $0 + $1.tokens }
        try cluster.waitUntil("tokens still come") {
          let jobs = try cluster.jobs()
          return jobs.reduce(0) { $0 + $1.tokens } > tokens || jobs.allSatisfy { $0.state == "done" }
        }
        try cluster.save(good, way)
        try cluster.waitUntilRunning(Self.base)
      }
      try cluster.save(Self.edits[0].text)
      try cluster.waitUntilRunning(Self.edits[0].text)
      try known.check(ids, of: cluster)
      try cluster.stop()
    }

    /// Saves that are wrong, with what the message must say.
    private func badSaves(_ good: Data, _ cluster: HandMadeCluster) throws -> [(Data, [String], HandMadeCluster.Saving)]
    {
      var result: [(Data, [String], HandMadeCluster.Saving)] = []
      func add(_ says: [String], _ change: (inout TopologyText) throws -> Void) throws {
        var text = Self.base
        try change(&text)
        let bytes = try Data(contentsOf: URL(filePath: text.with(cluster.addresses).write("bad.json")))
        result.append((bytes, says, result.count.isMultiple(of: 2) ? .byRename : .inPlace))
      }
      try add(["expert 15"]) { $0.stages[0].experts["sound"] = "10-14" }
      try add(["nemo"]) { $0.stages[1].host = "nemo" }
      try add(["layer 3"]) { $0.stages[1].layers = "4-5" }
      try add(["kv"]) { $0.extra["kv"] = "f32" }
      try add(["combine"]) { $0.extra["combine"] = "compact" }
      try add(["context"]) { $0.context = 512 }
      try add(["model"]) {
        var bytes = try Data(contentsOf: Workshop.model)
        bytes[bytes.count - 1000] ^= 1
        $0.model = try Workshop.file("other-model.gguf", bytes).path
      }
      try add(["model"]) { $0.model = "/nonexistent.gguf" }
      try add(["cove", "1.00 MB"]) { $0.nodes["cove"]?.memory = "1MB" }
      for way in HandMadeCluster.Saving.allCases { result.append((good.prefix(good.count / 2), [], way)) }
      result.append((Data(), [], .inPlace))
      return result
    }
  }
}
