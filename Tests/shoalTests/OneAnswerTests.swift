import Foundation
import Testing

extension CommandLineTests {
  @Suite("one answer")
  struct OneAnswerTests {
    private typealias Stage = TopologyText.Stage

    /// Long enough for several blocks of attention and several prefill steps of 7.
    private static let prompt = (0..<70).map { String(($0 * 37 + 11) % 2000) }.joined(separator: ",")
    private static let alone = ["--topology", "none", "--model", Workshop.model.path]

    private static let logits = Result {
      try RunningShoal.logits(alone + ["--tokens", prompt, "--last", "4"])
    }
    private static let tokens = Result {
      try RunningShoal.generate(alone + ["--tokens", prompt] + sampling)[0].tokens
    }
    private static let sampling = ["--max-tokens", "24", "--seed", "3", "--ignore-eos"]

    /// Both answers, held against those of one process.
    private func check(_ arguments: [String], _ what: Comment) throws {
      let logits = try RunningShoal.logits(arguments + ["--tokens", Self.prompt, "--last", "4"])
      #expect(logits.count == 4 * 4 * 2048)
      #expect(try logits == Self.logits.get(), what)
      let answer = try RunningShoal.generate(arguments + ["--tokens", Self.prompt] + Self.sampling)[0]
      #expect(try answer.tokens == Self.tokens.get(), what)
    }

    @Test(
      "threads and prefill chunks change nothing",
      arguments: [
        ["--threads", "1"], ["--threads", "2"], ["--prefill-chunk", "1"], ["--prefill-chunk", "7"],
        ["--prefill-chunk", "512"], ["--threads", "2", "--prefill-chunk", "7"],
      ])
    func settings(_ arguments: [String]) throws { try check(Self.alone + arguments, "\(arguments)") }

    @Test("kernels change nothing", arguments: ["scalar", "avx2", "avxvnni", "avx512"].filter(Self.isPresent))
    func kernels(_ name: String) throws {
      try check(Self.alone + ["--kernels", name], "\(name)")
      try check(["--topology", TopologyText.three.write("kernels.json"), "--kernels", name], "\(name) in a cluster")
    }

    /// Whether this machine has the instructions.
    private static func isPresent(_ kernels: String) -> Bool {
      guard kernels != "scalar" else { return true }
      let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
      func has(_ flags: String...) -> Bool { flags.allSatisfy { information.contains(" \($0)") } }
      let hasAVX512 = has("avx512f", "avx512bw", "avx512_vnni")
      return switch kernels {
      case "avx2": has("avx2", "fma")
      case "avxvnni": has("avx_vnni") || hasAVX512
      default: hasAVX512
      }
    }

    @Test(
      "neither the number of nodes nor who holds what changes anything",
      arguments: [
        "one worker", "one stage, two nodes", "three stages", "five nodes", "uneven shares", "replicas everywhere",
        "each the other's experts", "a spare",
      ])
    func placements(_ name: String) throws {
      let topology = try #require(Self.topologies[name])
      let file = try topology.write("placement.json")
      try check(["--topology", file], "\(name)")
    }

    private static let topologies: [String: TopologyText] = [
      "one worker": TopologyText(["a"], [Stage(layers: "0-5", host: "a", experts: ["a": "0-15"])]),
      "one stage, two nodes": TopologyText(
        ["a", "b"], [Stage(layers: "0-5", host: "a", experts: ["a": "0-7", "b": "8-15"])]),
      "three stages": TopologyText(
        ["a", "b", "c"],
        [
          Stage(layers: "0-1", host: "a", experts: ["a": "0-15"]),
          Stage(layers: "2-3", host: "b", experts: ["b": "0-15"]),
          Stage(layers: "4-5", host: "c", experts: ["c": "0-15"]),
        ]),
      "five nodes": TopologyText(
        ["a", "b", "c", "d", "e"],
        [
          Stage(layers: "0-5", host: "a", experts: ["a": "0-2", "b": "3-5", "c": "6-8", "d": "9-11", "e": "12-15"])
        ]),
      "uneven shares": TopologyText(
        ["a", "b", "c"],
        [
          Stage(layers: "0", host: "a", experts: ["b": "0", "c": "1-15"]),
          Stage(layers: "1-5", host: "b", experts: ["a": "0-12", "b": "13", "c": "14-15"]),
        ]),
      "replicas everywhere": TopologyText(
        ["a", "b", "c"],
        [
          Stage(layers: "0-2", host: "a", experts: ["a": "0-15", "b": "0-15", "c": "4-11"]),
          Stage(layers: "3-5", host: "c", experts: ["a": "0-9", "b": "3-15"]),
        ]),
      "each the other's experts": TopologyText(
        ["a", "b"],
        [
          Stage(layers: "0-2", host: "a", experts: ["b": "0-15"]),
          Stage(layers: "3-5", host: "b", experts: ["a": "0-15"]),
        ]),
      "a spare": TopologyText(["a", "b"], [Stage(layers: "0-5", host: "b", experts: ["b": "0-15"])]),
    ]

    @Test("placements drawn at random change nothing")
    func randomPlacements() throws {
      let seed = ProcessInfo.processInfo.environment["SHOAL_TEST_SEED"].flatMap(UInt64.init) ?? .random(in: 0...999_999)
      print("random placements: SHOAL_TEST_SEED=\(seed)")
      var random = SeededRandom(seed)
      for round in 0..<4 {
        let file = try Self.randomTopology(&random).write("random.json")
        try check(["--topology", file], "seed \(seed), round \(round)")
      }
    }

    private static func randomTopology(_ random: inout SeededRandom) -> TopologyText {
      let nodes = (0..<Int.random(in: 1...4, using: &random)).map { "n\($0)" }
      var stages: [Stage] = []
      var first = 0
      while first < 6 {
        let last = Int.random(in: first..<6, using: &random)
        var experts: [String: [Int]] = [:]
        for expert in 0..<16 {
          for _ in 0..<Int.random(in: 1...2, using: &random) {
            let node = nodes[Int.random(in: nodes.indices, using: &random)]
            if experts[node]?.last != expert { experts[node, default: []].append(expert) }
          }
        }
        stages.append(
          Stage(
            layers: "\(first)-\(last)", host: nodes[Int.random(in: nodes.indices, using: &random)],
            experts: experts.mapValues { $0.map(String.init).joined(separator: ",") }))
        first = last + 1
      }
      return TopologyText(nodes, stages)
    }

    @Test("without --model, --topology none runs the model and settings of the topology file")
    func noneWithoutModel() throws {
      let arguments = ["--tokens", "1,2,3", "--max-tokens", "8", "--temperature", "0"]
      let cluster = try RunningShoal.generate(arguments)
      let alone = try RunningShoal.generate(arguments + ["--topology", "none"])
      #expect(alone[0].tokens == cluster[0].tokens)
      #expect(Set(alone[0].wire.nodes.keys) == ["coordinator", "local"])
    }

    @Test("--model replaces the model of a topology that is named")
    func modelAndTopology() throws {
      var topology = TopologyText.three
      topology.model = "no-such-file.gguf"
      let file = try topology.write("other-model.json")
      let answers = try RunningShoal.generate(
        ["--topology", file, "--model", Workshop.model.path, "--tokens", "1,2", "--max-tokens", "4"])
      #expect(answers[0].wire.nodes.count == 4)
    }
  }
}

/// SplitMix64: the same numbers for the same seed.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
