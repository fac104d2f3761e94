import Foundation
import Testing

extension CommandLineTests {
  @Suite("bad topologies")
  struct BadTopologyTests {
    /// Both `topology check` and `generate` refuse it with 65, its name and a line.
    private func refuse(_ text: TopologyText, says: [String]) throws {
      let file = try text.write("bad.json")
      try refuse(file: file, says: says)
    }

    private func refuse(file: String, says: [String], status: Int32 = 65) throws {
      for arguments in [["topology", "check", file], ["generate", "x", "--topology", file]] {
        let outcome = try RunningShoal.run(arguments)
        #expect(outcome.status == status, "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
        for part in says + [file] { #expect(outcome.errors.contains(part), "\(outcome.errors)") }
        if status == 65 {
          #expect(try #/bad\.json:[0-9]+:[0-9]+: /#.firstMatch(in: outcome.errors) != nil, "\(outcome.errors)")
        }
      }
    }

    @Test("an expert on no node")
    func uncovered() throws {
      var text = TopologyText.three
      text.stages[0].experts["sound"] = "10-14"
      try refuse(text, says: ["expert 15"])
    }

    @Test("a node that is not named")
    func unknownNode() throws {
      var text = TopologyText.three
      text.stages[1].host = "nemo"
      try refuse(text, says: ["nemo", "reef"])
      text = .three
      text.stages[1].experts["nemo"] = "1"
      try refuse(text, says: ["nemo"])
    }

    @Test("layers twice, or not at all")
    func layers() throws {
      var text = TopologyText.three
      text.stages[1].layers = "2-5"
      try refuse(text, says: ["layer 2"])
      text.stages[1].layers = "4-5"
      try refuse(text, says: ["layer 3"])
      text.stages[1].layers = "3-6"
      try refuse(text, says: ["6"])
    }

    @Test("more than a node's memory")
    func memory() throws {
      var text = TopologyText.three
      text.nodes["cove"]?.memory = "1MB"
      try refuse(text, says: ["cove", "1.00 MB"])
    }

    @Test("an unknown key, a planner that is not there yet")
    func keys() throws {
      var text = TopologyText.three
      text.extra["colour"] = "blue"
      try refuse(text, says: ["colour"])
    }

    @Test("no JSON")
    func syntax() throws {
      for content in ["", "hello", "{", "{\"model\": 1e999999", "[[[[[[[[[[", "{\"nodes\": {}}"] {
        let file = try Workshop.file("bad.json", Data(content.utf8)).path
        try refuse(file: file, says: [])
      }
    }

    @Test("no file")
    func missing() throws { try refuse(file: "/nonexistent/topology.json", says: ["No such file"], status: 66) }

    @Test("check and show of a good one")
    func good() throws {
      let check = try RunningShoal.run(["topology", "check"])
      #expect(check.status == 0)
      #expect(check.text.contains("3 nodes, 2 stages, 6 layers"))
      let show = try RunningShoal.run(["topology", "show"])
      #expect(show.status == 0)
      for name in ["reef", "cove", "sound", "MB"] { #expect(show.text.contains(name)) }
      let json = try RunningShoal.run(["topology", "show", "--json"])
      #expect(json.status == 0)
      #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: json.output) }
    }
  }
}
