import Foundation
import Scheduling
import Tensors
import Testing
import Wire

@testable import Coordinator

@Suite("JobSummary")
struct JobSummaryTests {
  private func summary(text: String) -> JobSummary {
    var counters = TrafficCounters()
    (counters.dataBytes, counters.controlBytes, counters.dataFrames) = (1000, 500, 10)
    (counters.controlFrames, counters.weightBytes, counters.roundTrips) = (5, 2_500_000, 20)
    return JobSummary(
      promptTokens: [1, 2, 3], tokens: [4, 5, 6, 7, 8], text: text, stopReason: .length, seed: .max,
      timing: JobSummary.Timing(queue: 0.5, prefill: 0.25, decode: 2, firstToken: 0.75),
      wire: WireUsage(nodes: [
        NodeTraffic(node: "coordinator", counters: counters), NodeTraffic(node: "a \"b\"", counters: counters),
      ]), nodeCount: 1, stageCount: 1)
  }

  @Test("the JSON object is read back with every field", arguments: ["plain", "\"\\\n\r\t\u{1}\u{1F}é🐟\u{2028}"])
  func json(text: String) throws {
    let parsed = try JSONSerialization.jsonObject(with: Data(summary(text: text).json.utf8))
    let object = try #require(parsed as? [String: Any])
    #expect(object["text"] as? String == text)
    #expect(object["prompt_tokens"] as? [Int] == [1, 2, 3])
    #expect(object["tokens"] as? [Int] == [4, 5, 6, 7, 8])
    #expect(object["stop_reason"] as? String == "length")
    #expect((object["seed"] as? NSNumber)?.uint64Value == .max)
    let timing = try #require(object["timing"] as? [String: Any])
    #expect(timing["first_token_seconds"] as? Double == 0.75)
    #expect(timing["tokens_per_second"] as? Double == 2)
    let wire = try #require(object["wire"] as? [String: Any])
    #expect(wire["bytes"] as? Int == 3000)
    #expect(wire["frames"] as? Int == 30)
    #expect(wire["round_trips"] as? Int == 40)
    #expect(wire["weight_bytes"] as? Int == 5_000_000)
    let nodes = try #require(wire["nodes"] as? [String: [String: Int]])
    #expect(nodes["a \"b\""]?["bytes"] == 1500)
    #expect(!summary(text: text).json.contains("\n"))
  }

  @Test("numbers are rounded to their decimals; nothing a peer can report stops the printing")
  func decimals() {
    #expect(JobSummary.decimal(1.005, 1) == "1.0" && JobSummary.decimal(-0.05, 2) == "-0.05")
    #expect(JobSummary.decimal(0.06, 1) == "0.1" && JobSummary.decimal(12, 0) == "12")
    for value in [Double.nan, .infinity, -.infinity, 1e300, 1e15, .greatestFiniteMagnitude] {
      #expect(!JobSummary.decimal(value, 6).isEmpty)
    }
    #expect(JobSummary.bytes(.max) == "18446744073.71 GB")
  }

  @Test("the line for people says tokens, speed, nodes, stages and the wire's share of a token")
  func line() {
    #expect(
      summary(text: "").line
        == "5 tokens (length) after a prompt of 3, 2.0 tokens/s, prompt 12.0 tokens/s, first after 0.75 s, "
        + "1 node, 1 stage, 3.0 kB on the wire (600 B and 8.0 round trips a token), 5.0 MB of weights moved")
  }
}
