import ModelSpec
import Tensors
import Testing

@testable import Cluster

@Suite struct LoadPlanTests {
  private let model = SmallModel(layers: 6, experts: [16])

  private func propose(
    _ text: String, use: ExpertUse? = nil, speeds: [NodeID: Double] = [:], limits: [NodeID: Int] = [:],
    placement: Placement? = nil
  ) throws -> LoadPlan? {
    let topology = try decode(text)
    return LoadPlan.propose(
      topology: topology, placement: try placement ?? topology.place(model.facts), use: use ?? ExpertUse(model.facts),
      speeds: speeds, limits: limits, facts: model.facts, sizes: model.sizes, context: model.context,
      sequences: model.sequences, rows: model.rows)
  }

  /// Use in which expert e is chosen in proportion to `weights[e]`, in all layers.
  private func use(_ weights: [UInt64]) -> ExpertUse {
    var use = ExpertUse(model.facts)
    for layer in model.facts.layers { use.add(layer: layer, counts: weights, node: "reef") }
    return use
  }

  /// One stage, all experts on reef.
  private func oneHost(_ nodes: [String]) -> String {
    let entries = nodes.enumerated()
      .map { "\"\($1)\": { \"address\": \"h\($0):70\" }" }.joined(separator: ", ")
    return """
      { "model": "m", "nodes": { \(entries) }, "stages": [ { "layers": "0-5", "host": "\(nodes[0])" } ] }
      """
  }

  @Test("the text decodes and places as the proposed placement, for any cluster and use", arguments: 0..<20)
  func text(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let topology = try decode(sampleText)
    let names = topology.nodes.map(\.name.value)
    let before = model.placement(names, using: &random)
    let weights = (0..<16).map { _ in UInt64.random(in: 0...1000, using: &random) }
    let speeds = Dictionary(uniqueKeysWithValues: names.map { ($0, Double.random(in: 0.2...3, using: &random)) })
    var limits: [NodeID: Int] = [:]
    for name in names where Bool.random(using: &random) {
      limits[name] = model.share(name, before).totalBytes + Int.random(in: 0...10_000, using: &random)
    }
    let plan = try #require(
      try propose(sampleText, use: use(weights), speeds: speeds, limits: limits, placement: before))
    let written = try decode(plan.text)
    #expect(try written.place(model.facts, epoch: before.epoch) == plan.placement)
    #expect(plan.placement.problem(for: model.facts) == nil)
    #expect(plan.placement.stages.map(\.layers) == before.stages.map(\.layers))
    #expect(plan.placement.stages.map(\.host) == before.stages.map(\.host))
    for (name, limit) in limits { #expect(model.share(name, plan.placement).totalBytes <= limit) }
    // Every row is computed somewhere, and the highest load does not rise.
    let rows = (plan.loads.map(\.rowsBefore).reduce(0, +), plan.loads.map(\.rowsAfter).reduce(0, +))
    #expect(abs(rows.0 - 12) < 1e-6 && abs(rows.1 - 12) < 1e-6, "6 layers, 2 experts a token")
    #expect((plan.loads.map(\.after).max() ?? 0) <= (plan.loads.map(\.before).max() ?? 0) + 1e-9)
  }

  @Test("rows are shared in proportion to speed, spares included")
  func speeds() throws {
    let plan = try #require(
      try propose(oneHost(["reef", "cove", "sound"]), speeds: ["reef": 1, "cove": 2, "sound": 1]))
    #expect(plan.placement.stages[0].experts.map(\.experts.count) == [4, 8, 4])
    #expect(plan.loads.map(\.name) == ["reef", "cove", "sound"])
    #expect(abs(plan.loads[0].before - 12) < 1e-9 && plan.loads[1].before == 0)
    for load in plan.loads { #expect(abs(load.after - 3) < 1e-9) }
  }

  @Test("a node without a speed counts as the average")
  func unknownSpeed() throws {
    let plan = try #require(
      try propose(oneHost(["reef", "cove", "sound"]), speeds: ["reef": 1, "cove": 3, "sound": .nan]))
    #expect(abs(plan.loads[2].after - plan.loads[2].rowsAfter / 2) < 1e-12)
    #expect((plan.loads.map(\.after).max() ?? 9) < 2.6, "12 rows at a speed of 6 take 2 at best")
  }

  @Test("experts that are used much count for more than those that are not")
  func uneven() throws {
    // One expert takes half of all rows: it stays alone.
    let plan = try #require(
      try propose(oneHost(["reef", "cove"]), use: use([150] + Array(repeating: 10, count: 15))))
    let sets = plan.placement.stages[0].experts.map(\.experts)
    #expect(sets.contains(ExpertSet([0])) && sets.contains(ExpertSet(ranges: [1..<16])))
    for load in plan.loads { #expect(abs(load.after - 6) < 1e-9) }
  }

  @Test("what is balanced already stays as it is")
  func balanced() throws {
    let even = try sample(
      "\"reef\": \"0-3\", \"cove\": \"4-9\", \"sound\": \"10-15\"",
      "\"reef\": \"0-4\", \"cove\": \"5-9\", \"sound\": \"10-15\"")
    let topology = try decode(even)
    let plan = try #require(try propose(even))
    #expect(plan.placement.stages[0] == (try topology.place(model.facts)).stages[0])
  }

  @Test("replicas stay")
  func replicas() throws {
    let plan = try #require(try propose(sampleText, use: use((0..<16).map { $0 < 8 ? 100 : 1 })))
    let stage = plan.placement.stages[1]
    for expert in 4..<8 { #expect(stage.holders(of: ExpertIndex(expert)) == [0, 2]) }
  }

  @Test("with full nodes experts change places")
  func fullNodes() throws {
    let text = """
      { "model": "m", "nodes": { "reef": { "address": "local" }, "cove": { "address": "local" } },
        "stages": [ { "layers": "0-5", "host": "reef", "experts": { "reef": "0-7", "cove": "8-15" } } ] }
      """
    let before = try decode(text).place(model.facts)
    // Later experts take a few bytes more: the sum of the numbers moved must not be more than there is room.
    let limits: [NodeID: Int] = [
      "reef": model.share("reef", before).totalBytes + 400, "cove": model.share("cove", before).totalBytes + 400,
    ]
    let weights: [UInt64] = (0..<16).map { $0 < 8 ? 90 : 10 }
    let plan = try #require(try propose(text, use: use(weights), limits: limits))
    #expect(plan.placement.stages[0].experts.map(\.experts.count) == [8, 8])
    #expect(plan.loads[0].after < plan.loads[0].before - 2)
    for (name, limit) in limits { #expect(model.share(name, plan.placement).totalBytes <= limit) }
  }

  @Test("nothing is proposed for a placement on nodes that the topology does not name")
  func foreign() throws {
    let other = Placement(single: "bay", facts: model.facts)
    #expect(try propose(sampleText, placement: other) == nil)
  }
}
