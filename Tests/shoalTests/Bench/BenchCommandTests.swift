import Foundation
import Testing

extension CommandLineTests {
  @Suite("bench")
  struct BenchCommandTests {
    private struct Report: Decodable {
      struct Spread: Decodable {
        let median: Double
        let min: Double
        let max: Double
      }
      struct Phase: Decodable {
        let tokensPerSecond: Spread
        let secondsPerToken: [String: Double]
        let wireBytesPerToken: Double
        let roundTripsPerToken: Double
      }
      struct Node: Decodable {
        let name: String
        let peakMemoryBytes: Int?
        let computingShare: Double?
      }
      let prefill: Phase
      let decode: Phase?
      let weightBytesPerToken: Int
      let readBandwidth: Double?
      let readBandwidthShare: Double?
      let peakMemoryBytes: Int
      let nodes: [Node]
    }

    private func report(_ arguments: [String], environment: [String: String?] = [:]) throws -> Report {
      let outcome = try RunningShoal.run(["bench", "--json"] + arguments, environment: environment)
      try #require(outcome.status == 0, "\(outcome.errors)")
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      return try decoder.decode(Report.self, from: outcome.output)
    }

    private func check(_ spread: Report.Spread) {
      #expect(spread.min > 0 && spread.min <= spread.median && spread.median <= spread.max && spread.max.isFinite)
    }

    @Test("one process: speeds, what they read, and no word on any wire")
    func oneProcess() throws {
      let report = try report(["--model", Workshop.model.path, "-p", "20", "-n", "9", "-r", "3"])
      let decode = try #require(report.decode)
      check(report.prefill.tokensPerSecond)
      check(decode.tokensPerSecond)
      // All tensors but 14 of 16 experts, added up from the file's directory by hand: the output is the embedding.
      #expect(report.weightBytesPerToken == 2_619_904)
      let bandwidth = try #require(report.readBandwidth)
      let share = try #require(report.readBandwidthShare)
      #expect(bandwidth > 1e8)
      #expect(abs(share * bandwidth - 2_619_904 * decode.tokensPerSecond.median) < 1e-6 * bandwidth)
      // The model is 12 MB; what the bandwidth was measured with is not counted.
      #expect((8 << 20..<1 << 30).contains(report.peakMemoryBytes))
      for phase in [report.prefill, decode] {
        #expect(phase.wireBytesPerToken == 0 && phase.roundTripsPerToken == 0)
        #expect(phase.secondsPerToken["waiting"] == 0)
        for part in ["attention", "router", "experts", "output"] {
          #expect(phase.secondsPerToken[part] ?? 0 > 0, "\(part)")
        }
        // The parts and the rest make up the mean time of a token, which lies between those of the extremes.
        let sum = phase.secondsPerToken.values.reduce(0, +)
        #expect(
          sum >= 0.999 / phase.tokensPerSecond.max && sum <= 1.001 / phase.tokensPerSecond.min,
          "\(sum): \(phase.secondsPerToken), \(phase.tokensPerSecond)")
      }
      #expect(report.nodes.count == 1 && report.nodes.first?.peakMemoryBytes == nil)
    }

    @Test(
      "two nodes, all experts on the other: a round trip for each layer and decoded token; the file is read in place")
    func twoNodes() throws {
      let topology = try TopologyText(
        ["reef", "cove"], [.init(layers: "0-5", host: "reef", experts: ["cove": "0-15"])]
      ).write("bench-two.json")
      let cache = try Workshop.folder("bench-cache").path
      let report = try report(
        ["--topology", topology, "-p", "16", "-n", "6", "-r", "2"], environment: ["XDG_CACHE_HOME": cache])
      let decode = try #require(report.decode)
      #expect(decode.roundTripsPerToken == 6)
      #expect(abs(report.prefill.roundTripsPerToken - 6.0 / 16) < 1e-9)
      // Six times two headers, a row of 256 bytes there and of at least 2 bytes an element back.
      #expect(decode.wireBytesPerToken > 6 * (2 * 48 + 3 * 256) && decode.wireBytesPerToken < 6 * (2 * 48 + 10 * 256))
      #expect(decode.secondsPerToken["waiting"] ?? 0 > 0 && decode.secondsPerToken["wire"] ?? 0 > 0)
      #expect(decode.secondsPerToken["other"] == nil)
      #expect(report.nodes.map(\.name) == ["cove", "reef"])
      #expect(report.nodes.allSatisfy { $0.peakMemoryBytes ?? 0 > 4 << 20 })
      #expect(report.readBandwidthShare ?? 0 > 0)
      let stored = try RunningShoal.run(["shards", "list"], environment: ["XDG_CACHE_HOME": cache])
      #expect(stored.text.contains(": 0 pieces"), "\(stored.text)")
    }

    @Test("sequences side by side on two nodes: each token counts once, and no node computes more than all the time")
    func sequences() throws {
      let topology = try TopologyText(
        ["reef", "cove"],
        [
          .init(layers: "0-2", host: "reef", experts: ["reef": "0-15"]),
          .init(layers: "3-5", host: "cove", experts: ["cove": "0-15"]),
        ]
      ).write("bench-sequences.json")
      let report = try self.report(["--topology", topology, "-p", "8", "-n", "30", "-r", "2", "--sequences", "3"])
      let decode = try #require(report.decode)
      check(report.prefill.tokensPerSecond)
      check(decode.tokensPerSecond)
      #expect(decode.roundTripsPerToken == 0)
      // The residual stream, and a header for up to three rows.
      #expect(decode.wireBytesPerToken >= 4 * 256 && decode.wireBytesPerToken < 4 * 256 + 200)
      #expect(report.nodes.allSatisfy { (0.001...1).contains($0.computingShare ?? 0) })
      #expect(report.readBandwidthShare == nil)
    }

    @Test("prefill alone, for people")
    func prefillAlone() throws {
      let outcome = try RunningShoal.run(
        ["bench", "--model", Workshop.model.path, "-p", "1", "-n", "0", "-r", "1", "--threads", "1"])
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
      #expect(outcome.text.contains("prefill") && !outcome.text.contains("decode"))
      #expect(outcome.text.contains("1 repetition after one") && outcome.text.contains("GB/s"))
    }

    @Test(
      "what cannot be measured is a usage error",
      arguments: [
        (["-n", "1"], "at least 2"), (["--sequences", "0"], "must be 1"),
        (["--sequences", "5"], "the cluster takes 4 at a time"), (["-n=-4"], "at least 2"),
        (["-p", "0"], "-p must be"),
        (["-p", "9223372036854775807"], "-p must be"), (["-r", "0"], "-r must be"),
        (["-p", "1020", "-n", "5"], "take 1025 positions, but the context is 1024"),
        (["--coordinator", "127.0.0.1:7069"], "brings up itself"),
      ])
    func usage(arguments: [String], says: String) throws {
      let outcome = try RunningShoal.run(["bench", "--model", Workshop.model.path] + arguments)
      #expect(outcome.status == 64 && outcome.output.isEmpty)
      // Long messages are broken into lines.
      #expect(outcome.errors.replacing("\n", with: " ").contains(says), "\(outcome.errors)")
    }
  }
}
