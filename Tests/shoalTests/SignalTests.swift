import Foundation
import Testing

extension CommandLineTests {
  @Suite("ends")
  struct SignalTests {
    private func long(outputLimit: Int = .max) throws -> RunningShoal {
      let file = try LongGeneration.topology.write("long.json")
      return try RunningShoal(
        ["generate", "--topology", file] + LongGeneration.arguments, outputLimit: outputLimit)
    }

    // `finish` expects in each of these that no child is left.

    @Test("Ctrl-C, SIGTERM and kill -9 in mid-generation leave no child behind", arguments: [SIGINT, SIGTERM, SIGKILL])
    func midGeneration(_ signal: Int32) throws {
      let process = try long()
      try process.waitForOutput(" ")
      #expect(process.processIDs.count == 4)
      process.send(signal)
      #expect(try process.finish().status == 128 + signal)
    }

    @Test("signals while the cluster comes up leave no child behind", arguments: [SIGINT, SIGTERM, SIGKILL])
    func whileLoading(_ signal: Int32) throws {
      let process = try long()
      let isStarting = ProcessTable.wait(until: Date(timeIntervalSinceNow: RunningShoal.patience)) {
        process.processIDs.count > 1
      }
      #expect(isStarting)
      process.send(signal)
      #expect(try process.finish().status == 128 + signal)
    }

    @Test("Ctrl-C while a worker is waited for that never answers")
    func whileWaiting() throws {
      let peer = try FakePeer(reply: [])
      defer { peer.stop() }
      let file = try TopologyText.three.with(["cove": peer.address]).write("waiting.json")
      let process = try RunningShoal(["generate", "x", "--topology", file])
      _ = ProcessTable.wait(until: Date(timeIntervalSinceNow: RunningShoal.patience)) {
        process.processIDs.count == 3
      }
      process.send(SIGINT)
      #expect(try process.finish().status == 128 + SIGINT)
    }

    @Test("a closed pipe ends it as SIGPIPE would", arguments: [[], ["--json"]])
    func closedPipe(_ more: [String]) throws {
      let file = try LongGeneration.topology.write("pipe.json")
      let process = try RunningShoal(
        ["generate", "--topology", file] + LongGeneration.arguments + more, outputLimit: 10)
      #expect(try process.finish().status == 128 + SIGPIPE)
    }

    @Test("a local worker killed in mid-generation is started again; the answer is complete")
    func childKilled() throws {
      let process = try long()
      try process.waitForOutput(" ")
      let child = try #require(process.processIDs.first { $0 != process.processID })
      kill(child, SIGKILL)
      try process.waitForError("is lost")
      let isBack = ProcessTable.wait(until: Date(timeIntervalSinceNow: RunningShoal.patience)) {
        process.processIDs.count == 4
      }
      #expect(isBack && !process.processIDs.contains(child))
      let outcome = try process.finish()
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.text.split(separator: "\n", omittingEmptySubsequences: false).count >= 12)
      #expect(outcome.errors.contains("1000 tokens (length)"))
    }

    @Test("shoal serve ends with its children: by SIGTERM with 0, by kill -9", arguments: [SIGTERM, SIGINT, SIGKILL])
    func serve(_ signal: Int32) throws {
      let file = try LongGeneration.topology.write("serve.json")
      let process = try RunningShoal(["serve", "--topology", file, "--listen", "127.0.0.1:0"])
      try process.waitForError("ready")
      process.send(signal)
      #expect(try process.finish().status == (signal == SIGKILL ? 128 + SIGKILL : 0))
    }
  }
}
