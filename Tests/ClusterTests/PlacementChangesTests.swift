import ModelSpec
import Tensors
import Testing

@testable import Cluster

@Suite struct PlacementChangesTests {
  private let model = SmallModel(layers: 5, experts: [0, 6, 6, 4], isTied: true)

  @Test("another epoch changes nothing else")
  func epochs() throws {
    let placement = try decode(sampleText).place(sampleFacts)
    let later = placement.with(epoch: PlacementEpoch(rawValue: 9))
    #expect(later.epoch.rawValue == 9 && later.nodes == placement.nodes && later.stages == placement.stages)
  }

  @Test("over another list of nodes everything stays where it was by name")
  func renumbering() throws {
    let placement = try decode(sampleText).place(sampleFacts)
    let list: [NodeID] = ["bay", "sound", "cove", "reef"]
    let other = try #require(placement.renumbered(nodes: list))
    #expect(other.nodes == list && other.epoch == placement.epoch && other.problem(for: sampleFacts) == nil)
    #expect(other.stages.map(\.host) == [3, 2])
    #expect(other.stages[0].experts.map(\.node) == [1, 2, 3])
    for name in list {
      #expect(other.pieces(of: name, facts: sampleFacts) == placement.pieces(of: name, facts: sampleFacts))
    }
    #expect(other.hasSameShape(as: placement) && placement.hasSameShape(as: other) && other != placement)
    #expect(placement.renumbered(nodes: ["reef", "cove"]) == nil, "sound holds experts")
    #expect(placement.renumbered(nodes: ["sound", "cove", "bay"]) == nil, "reef is a host")
    #expect(placement.renumbered(nodes: list + ["bay"]) == nil, "a name twice")
  }

  @Test("an empty holding does not keep its node in the list")
  func emptyHolding() throws {
    let stage = StagePlacement(
      layers: 0..<1, host: 0,
      experts: [
        ExpertHolding(node: 0, experts: ExpertSet(all: 2)), ExpertHolding(node: 1, experts: .empty),
      ])
    let placement = Placement(epoch: PlacementEpoch(rawValue: 1), nodes: ["a", "b"], stages: [stage])
    let alone = try #require(placement.renumbered(nodes: ["a"]))
    #expect(alone.stages[0].experts.count == 1 && alone.hasSameShape(as: placement))
  }

  @Test("a shape is other when a host, an expert or a replica lies elsewhere")
  func shapes() throws {
    let placed = try decode(sampleText).place(sampleFacts)
    for (old, new) in [
      ("\"host\": \"reef\"", "\"host\": \"sound\""), ("\"cove\": \"4-9\"", "\"cove\": \"4-10\""),
      ("\"sound\": \"4-7\"", "\"sound\": \"4-6\""),
    ] {
      let other = try decode(sample(old, new)).place(sampleFacts)
      #expect(!other.hasSameShape(as: placed) && !placed.hasSameShape(as: other), "\(new)")
    }
    let shorter = Placement(epoch: placed.epoch, nodes: placed.nodes, stages: [placed.stages[0]])
    #expect(!shorter.hasSameShape(as: placed) && !placed.hasSameShape(as: shorter))
  }

  @Test("with the model at hand, experts that a layer does not have make no other shape")
  func shapesOfUnevenLayers() {
    let cut = Placement(single: "a", facts: model.facts).refined(at: [1, 3], facts: model.facts)
    let whole = Placement(single: "a", facts: model.facts)
    #expect(!cut.hasSameShape(as: whole) && cut.hasSameShape(as: whole, facts: model.facts))
    let other = Placement(single: "b", facts: model.facts)
    #expect(!cut.hasSameShape(as: other, facts: model.facts))
  }

  @Test("cutting stages moves nothing, also where layers differ in experts")
  func refining() {
    var random = SeededGenerator(seed: 31)
    for _ in 0..<50 {
      let placement = model.placement(["a", "b", "c"], using: &random)
      let cuts = Set((0..<5).filter { _ in Bool.random(using: &random) }.map { LayerIndex($0) })
      let refined = placement.refined(at: cuts, facts: model.facts)
      #expect(refined.problem(for: model.facts) == nil)
      let starts = Set(placement.stages.map(\.layers.lowerBound)).union(cuts).union([0])
      #expect(Set(refined.stages.map(\.layers.lowerBound)) == starts)
      for name in placement.nodes {
        #expect(refined.pieces(of: name, facts: model.facts) == placement.pieces(of: name, facts: model.facts))
      }
    }
  }

  @Test("the pieces of a name that is not there are none")
  func pieces() throws {
    let placement = try decode(sampleText).place(sampleFacts)
    #expect(placement.pieces(of: "bay", facts: sampleFacts).isEmpty)
    #expect(placement.pieces(of: "reef", facts: sampleFacts) == Set(placement.pieces(for: 0, facts: sampleFacts)))
  }

  @Test("a placement taken apart and put together holds the same, in stages of its own boundaries")
  func grids() {
    var random = SeededGenerator(seed: 32)
    for _ in 0..<100 {
      let placement = model.placement(["a", "b", "c", "d"], using: &random)
      let nodes: [NodeID] = ["x", "d", "c", "b", "a"]
      let grid = LayerGrid(placement, nodes: nodes, facts: model.facts)
      let again = grid.placement(epoch: placement.epoch, boundaries: [])
      #expect(again.problem(for: model.facts) == nil && again.stages.count <= placement.stages.count)
      for name in nodes {
        #expect(again.pieces(of: name, facts: model.facts) == placement.pieces(of: name, facts: model.facts))
      }
      let boundaries = Set(placement.stages.map(\.layers.lowerBound))
      #expect(
        grid.placement(epoch: placement.epoch, boundaries: boundaries).stages.map(\.layers)
          == placement.stages.map(\.layers))
    }
  }

  @Test("added up one by one, a node takes what the memory plan says")
  func meter() {
    var random = SeededGenerator(seed: 33)
    for isTied in [false, true] {
      let model = SmallModel(layers: 5, experts: [0, 6, 6, 4], isTied: isTied)
      let terms = MemoryTerms(
        facts: model.facts, sizes: model.sizes, context: model.context, sequences: model.sequences, rows: model.rows)
      for _ in 0..<50 {
        let placement = model.placement(["a", "b", "c", "d"], using: &random)
        let meter = MemoryMeter(terms, LayerGrid(placement, nodes: placement.nodes, facts: model.facts))
        #expect((0..<4).map { meter.totalBytes($0) } == model.plan(placement).shares.map(\.totalBytes))
      }
    }
  }
}
