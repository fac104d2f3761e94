import Scheduling
import Tensors
import Testing

@testable import Engine

@Suite struct ExpertCountsTests {
  private static let prompt: [TokenID] = [3, 1, 4, 1, 5, 9, 2, 6]

  @Test("what the router chose is counted by layer and expert, wherever it is computed, and not what peers ask for")
  func counting() throws {
    let model = try TinyModel()
    let bench = try EngineBench(model.path)
    let experts = try EngineBench(model.path, stages: [])
    bench.owner = { $0 < 2 ? 0 : 1 }
    bench.begin(1, .prefill, [entry(1, Self.prompt)])
    bench.drain()
    let sent = try #require(bench.sent.first)
    #expect(bench.engine.expertUse[0]?.reduce(0, +) == UInt64(2 * Self.prompt.count))
    #expect(bench.engine.expertUse[1] == [0, 0, 0, 0])
    for expert in 2..<4 {
      #expect(bench.engine.expertUse[0]?[expert] == UInt64(sent.experts.count { $0 == Int32(expert) }))
    }
    _ = try experts.sums(for: sent)
    #expect(experts.engine.expertUse.isEmpty)
  }

  @Test("counts stay with their layers when an engine is replaced")
  func inheritance() throws {
    let model = try TinyModel()
    let old = try EngineBench(model.path)
    old.begin(1, .prefill, [entry(1, Self.prompt)])
    old.drain()
    let next = try EngineBench(model.path, stages: [(1, 1..<2)], inheriting: old.engine)
    #expect(next.engine.expertUse == [1: old.engine.expertUse[1] ?? []])
    let back = try EngineBench(model.path, inheriting: next.engine)
    #expect(back.engine.expertUse == [0: [0, 0, 0, 0], 1: old.engine.expertUse[1] ?? []])
    #expect(old.engine.expertUse[1]?.reduce(0, +) == 16)
  }
}
