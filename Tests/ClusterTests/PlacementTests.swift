import ModelSpec
import Tensors
import Testing

@testable import Cluster

@Suite struct PlacementTests {
  private func samplePlacement() throws -> Placement { try decode(sampleText).place(sampleFacts) }

  @Test("who holds what")
  func queries() throws {
    let placement = try samplePlacement()
    #expect(placement.layerCount == 6 && placement.firstHost == 0 && placement.lastHost == 1)
    #expect(placement.index(of: "sound") == 2 && placement.index(of: "bay") == nil)
    #expect(placement.stages(hostedBy: 1) == [1] && placement.stages(hostedBy: 2).isEmpty)
    #expect(placement.stage(of: 2) == 0 && placement.stage(of: 3) == 1 && placement.stage(of: 6) == nil)
    #expect(placement.holders(of: 5, stage: 1) == [0, 2] && placement.holders(of: 5, stage: 0) == [1])
    #expect(placement.experts(of: 2, stage: 1).description == "4-7")
    #expect(placement.participants == [0, 1, 2])
  }

  @Test("nodes that hold nothing take no part, and peers are those that exchange frames")
  func spares() {
    let placement = Placement(
      epoch: PlacementEpoch(rawValue: 1), nodes: ["a", "b", "c", "d", "e"],
      stages: [
        StagePlacement(
          layers: 0..<2, host: 1,
          experts: [
            ExpertHolding(node: 3, experts: ExpertSet(all: 4)), ExpertHolding(node: 4, experts: .empty),
          ]),
        StagePlacement(layers: 2..<3, host: 0, experts: [ExpertHolding(node: 0, experts: ExpertSet(all: 4))]),
      ])
    #expect(placement.participants == [0, 1, 3])
    #expect(placement.peers(of: 0) == [1] && placement.peers(of: 1) == [0, 3] && placement.peers(of: 3) == [1])
    #expect(placement.peers(of: 4).isEmpty)
  }

  @Test("pieces: embedding for the first host, output for the last, with the embedding again when tied")
  func pieces() throws {
    let facts = ModelFacts(expertCounts: [0, 2, 4], contextLength: 64, outputUsesEmbedding: true)
    let experts = [
      ExpertHolding(node: 0, experts: ExpertSet(ranges: [0..<2])),
      ExpertHolding(node: 2, experts: ExpertSet(ranges: [1..<4])),
    ]
    let placement = Placement(
      epoch: PlacementEpoch(rawValue: 1), nodes: ["a", "b", "c", "d"],
      stages: [
        StagePlacement(layers: 0..<2, host: 0, experts: experts),
        StagePlacement(layers: 2..<3, host: 1, experts: experts),
      ])
    #expect(
      placement.pieces(for: 0, facts: facts) == [
        .embedding, .trunk(0), .trunk(1), .expert(1, 0), .expert(1, 1), .expert(2, 0), .expert(2, 1),
      ])
    #expect(placement.pieces(for: 1, facts: facts) == [.embedding, .trunk(2), .output])
    #expect(
      placement.pieces(for: 2, facts: facts) == [.expert(1, 1), .expert(2, 1), .expert(2, 2), .expert(2, 3)])
    #expect(placement.pieces(for: 3, facts: facts).isEmpty)
    let untied = ModelFacts(expertCounts: [0, 2, 4], contextLength: 64, outputUsesEmbedding: false)
    #expect(placement.pieces(for: 1, facts: untied) == [.trunk(2), .output])
  }

  @Test("the pieces of one node that holds everything are the model's, and any placement covers them, sorted")
  func piecesOfModel() throws {
    let spec = try Repository.demoSpec()
    let facts = ModelFacts(spec)
    let single = Placement(single: "reef", facts: facts)
    #expect(single.problem(for: facts) == nil)
    #expect(single.pieces(for: 0, spec: spec) == spec.pieces.sorted())
    let placement = try samplePlacement()
    let shares = placement.nodes.indices.map { placement.pieces(for: NodeIndex($0), spec: spec) }
    #expect(Set(shares.joined()) == Set(spec.pieces))
    for share in shares { #expect(share == share.sorted() && Set(share).count == share.count) }
  }

  @Test("a placement from elsewhere is checked against the model")
  func problems() throws {
    let good = try samplePlacement()
    #expect(good.problem(for: sampleFacts) == nil)
    func changed(_ change: (inout [NodeID], inout [StagePlacement]) -> Void) -> String? {
      var (nodes, stages) = (good.nodes, good.stages)
      change(&nodes, &stages)
      return Placement(epoch: good.epoch, nodes: nodes, stages: stages).problem(for: sampleFacts)
    }
    func stage(_ layers: Range<LayerIndex>, _ host: NodeIndex, _ experts: [ExpertHolding]) -> StagePlacement {
      StagePlacement(layers: layers, host: host, experts: experts)
    }
    let all = [ExpertHolding(node: 0, experts: ExpertSet(all: 16))]
    #expect(changed { nodes, _ in nodes = [] }?.contains("0 nodes") == true)
    #expect(changed { nodes, _ in nodes[1] = "reef" } == "two nodes have one name")
    #expect(changed { nodes, _ in nodes[1] = "a b" }?.contains("cannot name a node") == true)
    #expect(changed { _, stages in stages = [] } == "layer 0 is in no stage")
    #expect(changed { _, stages in stages.removeLast() } == "layer 3 is in no stage")
    #expect(changed { _, stages in stages.swapAt(0, 1) }?.contains("where layer 0 comes next") == true)
    #expect(changed { _, stages in stages[1] = stage(3..<7, 0, all) }?.contains("layers 3-6") == true)
    #expect(changed { _, stages in stages[1] = stage(3..<6, 3, all) }?.contains("no node 3 to be host") == true)
    #expect(changed { _, stages in stages[1] = stage(3..<6, -1, all) }?.contains("no node -1") == true)
    #expect(changed { _, stages in stages[1] = stage(3..<6, 0, all + all) }?.contains("two sets") == true)
    #expect(changed { _, stages in stages[1] = stage(3..<6, 0, []) }?.contains("experts 0-15 are on no node") == true)
    let beyond = [ExpertHolding(node: 0, experts: ExpertSet(all: 17))]
    #expect(changed { _, stages in stages[1] = stage(3..<6, 0, beyond) }?.contains("no expert 16") == true)
    let nowhere = [ExpertHolding(node: 9, experts: ExpertSet(all: 16))]
    #expect(changed { _, stages in stages[1] = stage(3..<6, 0, nowhere) }?.contains("no node 9 to hold") == true)
  }
}
