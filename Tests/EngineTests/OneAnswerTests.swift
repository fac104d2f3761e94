import Engine
import GGUF
import Kernels
import ModelSpec
import Scheduling
import Tensors
import Testing

/// Law 1 at the engine's level: the bits do not depend on placement, chunking, instruction set, threads or neighbours.
@Suite struct OneAnswerTests {
  private static let files =
    ([("qwen3moe-s", "Q8_0"), ("qwen3moe-s", "F16"), ("qwen3moe-k", "Q4_K_M")] + families).map { ($0, $1, KVType.f16) }
    + [("qwen3moe-s", "Q8_0"), ("gptoss-s", "F16"), ("deepseek3-s", "Q4_0")].map { ($0, $1, .q8_0) }

  /// One file of each further family.
  static let families = [
    ("llama-s", "F16"), ("mixtral-s", "Q4_0"), ("ministral3-s", "F16"), ("qwen2moe-s", "F16"), ("olmoe-s", "F16"),
    ("glm4moe-s", "F16"), ("gptoss-s", "F16"), ("kimi2-s", "F16"), ("deepseek3-s", "Q4_0"),
  ]

  @Test("instruction sets, threads, chunks and pass sizes give the same logits", arguments: files)
  func oneNode(name: String, type: String, kv: KVType) throws {
    let golden = try GoldenModel(name)
    // Windows, and queries that grow with their position, show after many positions only.
    let prompt = golden.prompts[["gptoss-s", "ministral3-s"].contains(name) ? 3 : 2]
    let reference = try LocalModel(golden.path(type), kernels: Kernels.select(.scalar), kv: kv, rowCapacity: 512)
      .logits(prompt, last: 4)
    for set in Kernels.available {
      for (threads, chunk, capacity) in [(1, 512, 64), (2, 1, 8), (2, 7, 16), (3, 40, 5)] {
        let model = try LocalModel(
          golden.path(type), kernels: Kernels.select(set), threads: threads, kv: kv, rowCapacity: capacity)
        let logits = try model.logits(prompt, last: 4, chunk: chunk)
        #expect(
          logits.map(\.bitPattern) == reference.map(\.bitPattern), "\(set), \(threads) threads, chunks of \(chunk)")
      }
    }
  }

  @Test(
    "more threads than key heads give the same logits, over positions enough to be divided",
    arguments: [
      ("qwen3moe-s", "F16", KVType.f16), ("gptoss-s", "F16", .f16), ("deepseek3-s", "Q4_0", .f16),
      ("gptoss-s", "F16", .q8_0),
    ])
  func manyThreads(name: String, type: String, kv: KVType) throws {
    let golden = try GoldenModel(name)
    let path = golden.path(type)
    let prompt = Array((golden.prompts + golden.prompts).joined().prefix(300))
    #expect(prompt.count == 300)
    let reference = try LocalModel(path, kernels: Kernels.select(), kv: kv, rowCapacity: 512).logits(prompt, last: 3)
    for (threads, rows) in [(5, 1), (16, 1), (16, 3), (40, 2)] {
      let model = try LocalModel(path, kernels: Kernels.select(), threads: threads, kv: kv)
      // All but the last rows go in one chunk.
      let last = SequenceID(rawValue: 1)
      let head = prompt.count - 3
      _ = try model.run(
        [
          StepEntry(sequence: last, position: 0, rowCount: head, tokens: Array(prompt[..<head]), wanted: .nothing)
        ], phase: .prefill)
      var found: [Float] = []
      for start in stride(from: head, to: prompt.count, by: rows) {
        let tokens = Array(prompt[start..<min(start + rows, prompt.count)])
        let entry = StepEntry(
          sequence: last, position: start, rowCount: tokens.count, tokens: tokens, wanted: .logits(rows: tokens.count))
        for result in try model.run([entry], phase: .decode) {
          if case .logits(_, let values) = result.outcome { found += values }
        }
      }
      #expect(found.map(\.bitPattern) == reference.map(\.bitPattern), "\(threads) threads, \(rows) rows")
    }
  }

  @Test("placements drawn at random give the same logits", arguments: files)
  func placements(name: String, type: String, kv: KVType) throws {
    let golden = try GoldenModel(name)
    let file = try GGUFFile.open(golden.path(type))
    let spec = try ModelSpec(file: file)
    let local = try LocalModel(golden.path(type), kernels: Kernels.select(), kv: kv, rowCapacity: 512)
    let prompts = golden.prompts.prefix(3)
    let expected = try prompts.map { try local.logits($0, last: 2) }
    let kernels = try Kernels.available.map { try Kernels.select($0) }
    for seed in UInt64(1)...12 {
      var random = SplitMix(state: seed)
      let plan = Self.draw(spec, &random)
      let cluster = try EngineCluster(
        spec, file, plan, kernels: kernels, threads: 1, rowCapacity: 1 + random.next(below: 48), seed: seed,
        kv: kv)
      let steps = prompts.enumerated().map { index, prompt in
        let entry = StepEntry(
          sequence: SequenceID(rawValue: UInt64(index)), position: 0, rowCount: prompt.count, tokens: prompt,
          wanted: .logits(rows: 2))
        return (random.next(below: 2) == 0 ? StepPhase.prefill : .decode, [entry])
      }
      let results = try cluster.run(steps)
      for (result, values) in zip(results, expected) {
        guard case .logits(_, let logits)? = result.first?.outcome else {
          Issue.record("seed \(seed): no logits; plan \(plan)")
          return
        }
        #expect(logits.map(\.bitPattern) == values.map(\.bitPattern), "seed \(seed), plan \(plan)")
      }
      #expect(cluster.nodes.allSatisfy { $0.engine.isIdle })
    }
  }

  @Test("tokens drawn side by side over random placements are those of one node and one sequence", arguments: files)
  func decoding(name: String, type: String, kv: KVType) throws {
    let golden = try GoldenModel(name)
    let file = try GGUFFile.open(golden.path(type))
    let spec = try ModelSpec(file: file)
    let local = try LocalModel(golden.path(type), kernels: Kernels.select(.scalar), kv: kv)
    let sampling = SamplingParameters(temperature: 1, topK: 0, topP: 0.95, seed: 11)
    let prompts = golden.prompts.prefix(3)
    let expected = try prompts.map { try local.generate($0, count: 6, sampling: sampling) }
    for seed in UInt64(20)...24 {
      var random = SplitMix(state: seed)
      let plan = Self.draw(spec, &random)
      let cluster = try EngineCluster(
        spec, file, plan, kernels: [Kernels.select()], threads: 1, rowCapacity: 2 + random.next(below: 30), seed: seed,
        kv: kv)
      var tokens: [[TokenID]] = prompts.map { _ in [] }
      for round in 0..<6 {
        let entries = prompts.enumerated().map { index, prompt in
          let start = round == 0 ? 0 : prompt.count + round - 1
          let rows = round == 0 ? prompt : [tokens[index][round - 1]]
          let opening = SequenceOpening(sampling: sampling, history: Array(prompt.suffix(sampling.penaltyWindow)))
          return StepEntry(
            sequence: SequenceID(rawValue: UInt64(index)), position: start, rowCount: rows.count, tokens: rows,
            wanted: .token, opening: round == 0 ? opening : nil)
        }
        // All in one step, or each in a step of its own.
        let steps: [(StepPhase, [StepEntry])] =
          random.next(below: 2) == 0 ? [(.decode, entries)] : entries.map { (.decode, [$0]) }
        for result in try cluster.run(steps).joined() {
          guard case .token(let token, _) = result.outcome else { continue }
          tokens[Int(result.sequence.rawValue)].append(token)
        }
      }
      #expect(tokens == expected, "seed \(seed), plan \(plan)")
    }
  }

  @Test("the compact combine gives other bits than the exact one, and the same for every placement")
  func compact() throws {
    let golden = try GoldenModel("qwen3moe-s")
    let path = golden.path("Q8_0")
    let file = try GGUFFile.open(path)
    let spec = try ModelSpec(file: file)
    let prompt = golden.prompts[2]
    let kernels = try Kernels.select()
    let exact = try LocalModel(path, kernels: kernels).logits(prompt, last: 2)
    let expected = try LocalModel(path, kernels: kernels, combine: .compact).logits(prompt, last: 2)
    #expect(expected.map(\.bitPattern) != exact.map(\.bitPattern))
    let difference = zip(exact, expected).map { abs($0 - $1) }.max() ?? .infinity
    #expect(difference < 0.3, "off by \(difference)")
    for seed in UInt64(1)...6 {
      var random = SplitMix(state: seed)
      let plan = Self.draw(spec, &random)
      let cluster = try EngineCluster(
        spec, file, plan, kernels: [kernels], threads: 1, rowCapacity: 16, seed: seed, combine: .compact)
      let entry = StepEntry(
        sequence: SequenceID(rawValue: 1), position: 0, rowCount: prompt.count, tokens: prompt, wanted: .logits(rows: 2)
      )
      guard case .logits(_, let logits)? = try cluster.run([(.prefill, [entry])]).first?.first?.outcome else {
        Issue.record("seed \(seed): no logits; plan \(plan)")
        return
      }
      #expect(logits.map(\.bitPattern) == expected.map(\.bitPattern), "seed \(seed), plan \(plan)")
    }
  }

  @Test(
    "any number of experts, any of them chosen, more nodes than experts: one answer",
    arguments: [(1, 1), (2, 1), (3, 3), (7, 2), (13, 13), (127, 8), (896, 16)])
  func expertCounts(experts: Int, chosen: Int) throws {
    let model = try TinyModel(.glm4moe, seed: UInt64(experts), experts: experts, chosen: chosen)
    let file = try GGUFFile.open(model.path)
    let spec = try ModelSpec(file: file)
    let prompt = (0..<9).map { TokenID(UInt32($0 * 11 % TinyModel.vocabulary)) }
    let expected = try LocalModel(model.path, kernels: Kernels.select(.scalar), context: 64).logits(prompt, last: 3)
    for seed in UInt64(1)...4 {
      var random = SplitMix(state: seed)
      let plan = Self.draw(spec, &random)
      let cluster = try EngineCluster(
        spec, file, plan, kernels: [Kernels.select()], threads: 1, rowCapacity: 1 + random.next(below: 9), seed: seed)
      let entry = StepEntry(
        sequence: SequenceID(rawValue: 1), position: 0, rowCount: prompt.count, tokens: prompt, wanted: .logits(rows: 3)
      )
      guard case .logits(_, let logits)? = try cluster.run([(.prefill, [entry])]).first?.first?.outcome else {
        Issue.record("seed \(seed): no logits; plan \(plan)")
        return
      }
      #expect(logits.map(\.bitPattern) == expected.map(\.bitPattern), "seed \(seed), plan \(plan)")
    }
  }

  /// One to three stages over one to five nodes, uneven shares, some experts on several nodes.
  static func draw(_ spec: ModelSpec, _ random: inout SplitMix) -> EngineCluster.Plan {
    let layers = spec.hyperparameters.layerCount
    let nodeCount = 1 + random.next(below: 5)
    let stageCount = 1 + random.next(below: min(3, layers))
    var start = 0
    let stages = (0..<stageCount).map { stage in
      let left = stageCount - stage - 1
      let end = left == 0 ? layers : start + 1 + random.next(below: layers - left - start)
      defer { start = end }
      let holders = (0..<spec.hyperparameters.expertCount).map { _ in
        Array(Set((0...random.next(below: 2)).map { _ in random.next(below: nodeCount) }).sorted())
      }
      return EngineCluster.Plan.Stage(layers: start..<end, host: random.next(below: nodeCount), holders: holders)
    }
    return EngineCluster.Plan(nodeCount: nodeCount, stages: stages)
  }
}
