import Coordinator
import Foundation
import Scheduling
import Tensors
import Testing
import Wire

@testable import shoal

@Suite struct BenchReportTests {
  /// Of nodes that do nothing by themselves: each part takes as many microseconds a step as its number says.
  private func work(_ node: NodeID, decodeSteps: Int, promptTokens: Int) -> NodeWork {
    func tally(_ count: Int, sent: UInt64, trips: UInt64) -> WorkTally {
      var tally = WorkTally()
      for part in WorkPart.allCases { tally.times[part] = 1000 * UInt64(count * (part.rawValue + 1)) }
      tally.sentBytes = sent * UInt64(count)
      tally.roundTrips = trips * UInt64(count)
      return tally
    }
    return NodeWork(
      node: node, decode: tally(decodeSteps, sent: 700, trips: 6), prefill: tally(promptTokens, sent: 50, trips: 1),
      peakMemoryBytes: node == "cove" ? 3 << 20 : 0)
  }

  /// A generation of 11 tokens after a prompt of 20, decoded in that many milliseconds.
  private func sample(
    prefill: Int, decode: Int, tokens: Int = 11, sequences: Int = 1, nodes: [NodeID] = ["local"]
  ) -> BenchSample {
    let summary = JobSummary(
      promptTokens: Array(repeating: TokenID(1), count: 20), tokens: Array(repeating: TokenID(2), count: tokens),
      text: "", stopReason: .length, seed: 0,
      timing: .init(), wire: WireUsage(nodes: []),
      nodeCount: nodes.count, stageCount: 1,
      work: nodes.map { work($0, decodeSteps: tokens - 1, promptTokens: 20) })
    return BenchSample(
      Array(repeating: summary, count: sequences), prefill: .milliseconds(prefill), decode: .milliseconds(decode),
      decodedTokens: sequences * (tokens - 1))
  }

  private func settings(tokens: Int = 11, sequences: Int = 1, nodes: Int = 1) -> BenchReport.Settings {
    .init(
      model: "m.gguf", promptTokens: 20, tokens: tokens, sequences: sequences, repetitions: 3, threads: 2,
      kernels: "avx2", kv: "f16",
      context: 64, prefillChunk: 512, nodes: nodes, stages: 1)
  }

  private func report(
    _ samples: [BenchSample], tokens: Int = 11, bandwidth: Double? = 2e9, isLocal: Bool = true
  ) throws -> BenchReport {
    try BenchReport(
      settings(tokens: tokens, sequences: samples.first?.summaries.count ?? 1, nodes: samples.first?.work.count ?? 1),
      samples, weightBytesPerToken: 5_000_000,
      readBandwidth: bandwidth, isLocal: isLocal, peakMemoryBytes: 7 << 20)
  }

  private func object(_ report: BenchReport) throws -> [String: Any] {
    let value = try JSONSerialization.jsonObject(with: Data(report.json().utf8))
    return try #require(value as? [String: Any])
  }

  private static let three = [(100, 100), (200, 50), (400, 200)]

  @Test("JSON: speeds under fixed keys, the share of the bandwidth, the rest by token")
  func json() throws {
    let report = try report(Self.three.map { sample(prefill: $0.0, decode: $0.1) })
    let json = try object(report)
    func number(_ path: String...) throws -> Double {
      var value: Any = json
      for key in path { value = try #require((value as? [String: Any])?[key], "\(path)") }
      return try #require(value as? Double)
    }
    #expect(try number("prefill", "tokens_per_second", "median") == 100)
    #expect(try number("prefill", "tokens_per_second", "min") == 50)
    #expect(try number("prefill", "tokens_per_second", "max") == 200)
    #expect(try number("decode", "tokens_per_second", "median") == 100)
    #expect(try number("decode", "tokens_per_second", "min") == 50)
    #expect(try number("decode", "tokens_per_second", "max") == 200)
    #expect(try number("read_bandwidth") == 2e9)
    #expect(try number("read_bandwidth_share") == 0.25)
    #expect(try number("weight_bytes_per_token") == 5e6)
    #expect(try number("peak_memory_bytes") == Double(7 << 20))
    #expect(try number("decode", "wire_bytes_per_token") == 700)
    #expect(try number("decode", "round_trips_per_token") == 6)
    #expect(try number("prefill", "wire_bytes_per_token") == 50)
    for (part, microseconds) in ["attention": 1, "router": 2, "experts": 3, "output": 4, "wire": 5, "waiting": 6] {
      #expect(abs(try number("decode", "seconds_per_token", part) - 1e-6 * Double(microseconds)) < 1e-12)
    }
    // 30 tokens in 0.35 s, of which each has 21 microseconds in the engine.
    #expect(abs(try number("decode", "seconds_per_token", "other") - (0.35 / 30 - 21e-6)) < 1e-9)
    #expect(try number("settings", "prompt_tokens") == 20)
  }

  @Test("several nodes: their times stand apart and together, and nobody says what is left over")
  func nodes() throws {
    let report = try report(Self.three.map { sample(prefill: $0.0, decode: $0.1, nodes: ["cove", "reef"]) })
    #expect(report.nodes.map(\.name) == ["cove", "reef"])
    #expect(report.nodes.map(\.peakMemoryBytes) == [3 << 20, nil])
    let decode = try #require(report.decode)
    #expect(abs(decode.secondsPerToken.router - 4e-6) < 1e-12 && decode.secondsPerToken.other == nil)
    #expect(abs((report.nodes[1].decodeSecondsPerToken?.router ?? 0) - 2e-6) < 1e-12)
    #expect(decode.roundTripsPerToken == 12)
    #expect(report.text.contains("decode reef") && report.text.contains("cove 3"))
  }

  @Test("sequences side by side: tokens of all, and how much of the time each node computes")
  func sequences() throws {
    let report = try report([sample(prefill: 100, decode: 2, sequences: 4, nodes: ["cove", "reef"])])
    #expect(report.prefill.tokensPerSecond.median == 800)
    #expect(try abs(#require(report.decode).tokensPerSecond.median - 20_000) < 1e-6)
    // 10 microseconds in each of 10 steps and for each of 20 tokens of the prompt, in 102 milliseconds.
    #expect(report.nodes.allSatisfy { abs(($0.computingShare ?? 0) - 0.3 / 102) < 1e-9 })
    #expect(report.text.contains("of 4 sequences side by side"))
    #expect(report.text.contains("computing               cove 0 %, reef 0 % of the time"))
    #expect(report.readBandwidthShare == nil)
  }

  @Test("prefill alone has no decode and no share")
  func prefillAlone() throws {
    let report = try report([sample(prefill: 100, decode: 0, tokens: 1)], tokens: 0)
    #expect(report.decode == nil && report.readBandwidthShare == nil)
    let json = try object(report)
    #expect(json["decode"] == nil && json["prefill"] != nil)
    #expect(!report.text.contains("decode"))
  }

  @Test("with weights on other machines, or without a measured bandwidth, there is no share")
  func noShare() throws {
    let one = [sample(prefill: 100, decode: 100)]
    let remote = try report(one, isLocal: false)
    #expect(remote.readBandwidthShare == nil && remote.text.contains("2.0 GB/s") && !remote.text.contains("reaches"))
    let unmeasured = try report(one, bandwidth: nil)
    #expect(unmeasured.readBandwidthShare == nil && !unmeasured.text.contains("GB/s"))
  }

  @Test("a repetition that was cut short is an error, not a speed")
  func cutShort() {
    #expect(throws: InputError.self) {
      try report([sample(prefill: 100, decode: 100), sample(prefill: 100, decode: 100, tokens: 4)])
    }
    #expect(throws: InputError.self) { try report([]) }
  }

  @Test("people get the speeds with their spread, and a table of milliseconds")
  func text() throws {
    let text = try report(Self.three.map { sample(prefill: $0.0, decode: $0.1) }).text
    for part in [
      "100.0 tokens/s (50.0 to 200.0), 11 tokens",
      "2.0 GB/s on this machine; decode reaches 25.0 %",
      "5.0 MB of weights read per token", "wire per decoded token  700 B, 6.00 round trips",
      "ms per token  prefill  decode",
      "one node, 2 threads here, avx2, kv f16, context 64; 3 repetitions after one to warm up",
    ] {
      #expect(text.contains(part), "\(part) is not in\n\(text)")
    }
    let lines = text.split(separator: "\n")
    #expect(lines.contains { $0.split(separator: " ") == ["router", "0.002", "0.002"] })
    #expect(lines.allSatisfy { $0.last != " " })
  }
}
