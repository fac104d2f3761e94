import Engine
import ModelGraph
import Scheduling
import Tensors
import Testing

/// Steps that cannot be carried out end in a typed error, and the engine goes on.
@Suite struct EngineErrorTests {
  private static let prompt: [TokenID] = [3, 1, 4, 1, 5]

  /// Runs a bad step, then a good one of another sequence, and compares that with an engine that saw no bad step.
  private func expectFailure(
    _ bench: EngineBench, _ model: TinyModel, _ bad: [StepEntry], phase: StepPhase = .prefill,
    _ check: (any Error) -> Bool
  ) throws {
    bench.begin(1, phase, bad)
    bench.drain()
    #expect(bench.failures.count == 1 && bench.results.isEmpty && bench.engine.isIdle)
    let error = try #require(bench.failures.first?.error)
    #expect(check(error), "\(error)")
    bench.begin(2, .prefill, [entry(99, Self.prompt)], released: bad.map(\.sequence))
    bench.drain()
    let fresh = try EngineBench(model.path)
    fresh.begin(2, .prefill, [entry(99, Self.prompt)])
    fresh.drain()
    #expect(bench.logits(2) != nil && bench.logits(2) == fresh.logits(2))
  }

  @Test(
    "rows that a peer sends for a layer without experts are refused", arguments: [TinyModel.Family.llama, .glm4moe])
  func denseRequest(family: TinyModel.Family) throws {
    let model = try TinyModel(family)
    let bench = try EngineBench(model.path)
    let key = ExchangeKey(step: StepID(rawValue: 1), phase: .decode, pass: 0, layer: 0)
    let error = #expect(throws: EngineError.self) {
      try bench.engine.makeRequest(key, part: 0, from: 1, rowCount: 1, choiceCount: 1)
    }
    #expect(error?.code == .protocolViolation && error?.message.contains("layer 0") == true)
    #expect(bench.engine.expertUse.keys.sorted() == (family == .llama ? [] : [1, 2]))
  }

  @Test("a token outside the vocabulary is named")
  func badToken() throws {
    let model = try TinyModel()
    try expectFailure(EngineBench(model.path), model, [entry(1, [1, 40])]) {
      ($0 as? ModelGraphError)?.code == .badToken && "\($0)".contains("token 40")
    }
  }

  @Test("a sequence longer than the context is an error that names it, also when it grows by decoding")
  func context() throws {
    let model = try TinyModel()
    let long = (0..<65).map { TokenID(UInt32($0 % 40)) }
    try expectFailure(EngineBench(model.path, context: 64), model, [entry(7, long)]) {
      ($0 as? EngineError)?.code == .capacity && "\($0)".contains("sequence 7")
    }
    let bench = try EngineBench(model.path, context: 64)
    bench.begin(10, .prefill, [entry(7, Array(long.prefix(64)))])
    bench.drain()
    #expect(bench.logits(10) != nil)
    bench.begin(11, .decode, [entry(7, [1], at: 64)])
    #expect((bench.failures.first?.error as? EngineError)?.code == .capacity)
  }

  @Test("more sequences than the cache is for are an error, until one is released")
  func sequences() throws {
    let model = try TinyModel()
    let bench = try EngineBench(model.path, context: 64, sequences: 2)
    for index in UInt64(1)...3 { bench.begin(index, .prefill, [entry(index, Self.prompt)]) }
    bench.drain()
    #expect(bench.results.count == 2 && bench.failures.count == 1)
    #expect((bench.failures.first?.error as? EngineError)?.code == .capacity)
    bench.begin(4, .prefill, [entry(3, Self.prompt)], released: [SequenceID(rawValue: 1)])
    bench.drain()
    #expect(bench.logits(4) != nil && bench.logits(4) == bench.logits(2))
    #expect(bench.engine.keyValueBlocksInUse == 2)
  }

  @Test("an entry with other than one token a row is an error")
  func tokenCount() throws {
    let model = try TinyModel()
    let short = StepEntry(
      sequence: SequenceID(rawValue: 1), position: 0, rowCount: 40, tokens: [1, 2], wanted: .nothing)
    try expectFailure(EngineBench(model.path, rowCapacity: 8), model, [short]) {
      ($0 as? EngineError)?.code == .protocolViolation
    }
  }

  @Test("a token is wanted of a sequence that was never opened")
  func notOpened() throws {
    let model = try TinyModel()
    try expectFailure(EngineBench(model.path), model, [entry(1, Self.prompt, wanted: .token)]) {
      ($0 as? EngineError)?.code == .protocolViolation && "\($0)".contains("never opened")
    }
  }

  @Test("a step for another stage, and a hand-over that does not fit its step, fail")
  func wrongStage() throws {
    let model = try TinyModel()
    let last = try EngineBench(model.path, stages: [(1, 1..<2)])
    last.begin(1, .prefill, [entry(1, Self.prompt)])
    #expect(last.failures.count == 1 && "\(last.failures[0].error)".contains("first stage"))
    let first = try EngineBench(model.path, stages: [(0, 0..<1)], rowCapacity: 4)
    first.begin(2, .prefill, [entry(1, Self.prompt)])
    first.drain()
    let good = try #require(first.handedOver.first)
    for (pass, count, rows) in [(2, 2, 4), (-1, 2, 4), (0, 2, 3), (0, 70_000, 4)] {
      let bad = PassHandOver(
        step: good.pass.step, phase: .prefill, pass: pass, passCount: count, entries: good.pass.entries, released: [],
        rows: good.pass.rows, rowCount: rows)
      let before = last.failures.count
      EngineBench.HandedOver(pass: bad, rows: good.rows, stage: 1).resume(on: last.engine)
      #expect(last.failures.count == before + 1 && last.engine.isIdle)
    }
    for handedOver in first.handedOver { handedOver.resume(on: last.engine) }
    last.drain()
    #expect(last.logits(2) != nil)
  }

  @Test(
    "a weight that is not a number is an error that names the layer",
    arguments: [
      ("blk.0.attn_norm", 0), ("blk.1.attn_norm", 1), ("blk.1.attn_q_norm", 1), ("blk.1.attn_k_norm", 1),
      ("blk.0.ffn_norm", 0), ("blk.1.ffn_gate_inp", 1), ("blk.0.attn_v", 0), ("blk.1.attn_output", 1),
    ] as [(String, Int)], [Float.nan, .infinity])
  func notFinite(tensor: (name: String, layer: Int), value: Float) throws {
    let model = try TinyModel(changes: [tensor.name: value])
    let bench = try EngineBench(model.path)
    bench.begin(1, .prefill, [entry(1, Self.prompt)])
    bench.drain()
    let error = try #require(bench.failures.first?.error as? ModelGraphError)
    #expect(error.code == .notFinite && "\(error)".contains("layer \(tensor.layer)"), "\(error)")
    #expect(bench.engine.isIdle && bench.results.isEmpty)
  }

  @Test(
    "a value that is not finite in any further block ends the step in a typed error",
    arguments: [
      (.llama, "blk.0.ffn_gate"), (.llama, "blk.1.ffn_down"), (.qwen2moe, "blk.1.attn_k.bias"),
      (.qwen2moe, "blk.0.ffn_down_shexp"), (.qwen2moe, "blk.1.ffn_gate_inp_shexp"), (.glm4moe, "blk.0.ffn_up"),
      (.glm4moe, "blk.1.exp_probs_b.bias"), (.glm4moe, "blk.2.ffn_up_shexp"), (.glm4moe, "blk.2.attn_v.bias"),
      (.gptOSS, "blk.0.attn_sinks"), (.gptOSS, "blk.1.attn_output.bias"), (.gptOSS, "blk.1.ffn_gate_inp.bias"),
      (.gptOSS, "blk.1.ffn_down_exps.bias"),
    ] as [(TinyModel.Family, String)], [Float.nan, .infinity])
  func notFinite(tensor: (family: TinyModel.Family, name: String), value: Float) throws {
    let model = try TinyModel(tensor.family, changes: [tensor.name: value])
    let bench = try EngineBench(model.path)
    // Enough rows that every expert is chosen by one of them.
    bench.begin(1, .prefill, [entry(1, (0..<32).map { TokenID(UInt32($0)) })])
    bench.drain()
    let error = try #require(bench.failures.first?.error as? ModelGraphError, "nothing was noticed")
    #expect(error.code == .notFinite, "\(error)")
    #expect(bench.engine.isIdle && bench.results.isEmpty)
  }

  @Test(
    "experts whose weights are not numbers fail the step on the host, and are refused to peers",
    arguments: ["ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"])
  func badExpert(name: String) throws {
    // Expert 0 of layer 1 holds the value.
    let model = try TinyModel(changes: ["blk.1." + name: .nan])
    let bench = try EngineBench(model.path)
    bench.begin(1, .prefill, [entry(1, (0..<16).map { TokenID(UInt32($0)) })])
    bench.drain()
    let error = try #require(bench.failures.first?.error as? ModelGraphError)
    #expect(error.code == .notFinite && "\(error)".contains("layer 1"))
  }

  @Test("final weights that are not numbers are an error whether a token is sampled or logits are wanted")
  func badOutput() throws {
    for (name, wanted) in [("output_norm", Wanted.token), ("output_norm", .logits(rows: 2))] {
      let model = try TinyModel(changes: [name: .nan])
      let bench = try EngineBench(model.path)
      let opening = SequenceOpening(sampling: .greedy, history: Self.prompt)
      bench.begin(1, .prefill, [entry(1, Self.prompt, wanted: wanted, opening: opening)])
      bench.drain()
      #expect(bench.failures.count == 1 && bench.results.isEmpty, "\(name), \(wanted)")
    }
  }
}
