import ModelSpec
import Tensors

@testable import Cluster

/// A small model with sizes that tell its parts apart.
struct SmallModel: Sendable {
  let facts: ModelFacts
  let sizes: ModelSizes
  let context = 64
  let sequences = 2
  let rows = 4

  init(layers: Int, experts: [Int], isTied: Bool = true, expertBytes: Int = 1000) {
    facts = ModelFacts(
      expertCounts: (0..<layers).map { experts[$0 % experts.count] }, contextLength: 1024, outputUsesEmbedding: isTied)
    sizes = ModelSizes(
      pieceBytes: { piece in
        switch piece {
        case .header: 0
        case .embedding: 3000
        case .output: 2500
        case .trunk(let layer): 1500 + layer.rawValue
        case .expert(let layer, let expert): expertBytes + 10 * layer.rawValue + expert.rawValue
        }
      }, keyValueBytes: { 10 + $0.rawValue }, hiddenSize: 2, queryWidth: 2, expertWidth: 2, expertsPerToken: 2,
      vocabularySize: 50)
  }

  func plan(_ placement: Placement) -> MemoryPlan {
    MemoryPlan(placement: placement, facts: facts, sizes: sizes, context: context, sequences: sequences, rows: rows)
  }

  /// What a node holds of a placement; a node that is not in it, no more than its process.
  func share(_ name: NodeID, _ placement: Placement) -> MemoryPlan.Share {
    placement.index(of: name).map { plan(placement).shares[$0.rawValue] }
      ?? MemoryPlan.Share(weightBytes: 0, keyValueBytes: 0, scratchBytes: MemoryPlan.processBytes)
  }

  func hostedLayers(_ name: NodeID, _ placement: Placement) -> Set<LayerIndex> {
    Set(placement.stages.filter { placement.nodes[$0.host.rawValue] == name }.flatMap { Array($0.layers) })
  }

  /// What a node holds while one placement gives way to another, as the rule says it, not as it is computed.
  func transitionBytes(_ name: NodeID, _ from: Placement, _ to: Placement) -> Int {
    let pieces = from.pieces(of: name, facts: facts).union(to.pieces(of: name, facts: facts))
    let layers = hostedLayers(name, from).union(hostedLayers(name, to))
    let cache = layers.reduce(0) { $0 + sequences * 64 * sizes.keyValueBytes($1) }
    return pieces.reduce(0) { $0 + sizes.pieceBytes($1) } + cache
      + max(share(name, from).scratchBytes, share(name, to).scratchBytes)
  }

  /// Any placement: stages, hosts, experts, replicas and spares as they come.
  func placement(_ nodes: [NodeID], using random: inout SeededGenerator, replicas: Int = 4) -> Placement {
    var stages: [StagePlacement] = []
    var first = 0
    while first < facts.layerCount {
      let end = Int.random(in: first + 1...facts.layerCount, using: &random)
      let layers = LayerIndex(first)..<LayerIndex(end)
      let count = facts.expertCountMax(layers)
      var held = Array(repeating: [ExpertIndex](), count: nodes.count)
      for expert in 0..<count {
        held[Int.random(in: 0..<nodes.count, using: &random)].append(ExpertIndex(expert))
        if replicas > 0, Int.random(in: 0..<replicas, using: &random) == 0 {
          held[Int.random(in: 0..<nodes.count, using: &random)].append(ExpertIndex(expert))
        }
      }
      stages.append(
        StagePlacement(
          layers: layers, host: NodeIndex(Int.random(in: 0..<nodes.count, using: &random)),
          experts: held.enumerated().filter { !$0.element.isEmpty }.map {
            ExpertHolding(node: NodeIndex($0.offset), experts: ExpertSet($0.element))
          }))
      first = end
    }
    return Placement(epoch: PlacementEpoch(rawValue: 7), nodes: nodes, stages: stages)
  }
}

/// One stage over all layers of a model; experts by node.
func oneStage(_ nodes: [NodeID], layers: Int = 1, host: NodeIndex, _ experts: [String]) -> Placement {
  Placement(
    epoch: PlacementEpoch(rawValue: 1), nodes: nodes,
    stages: [
      StagePlacement(
        layers: 0..<LayerIndex(layers), host: host,
        experts: experts.enumerated().compactMap { node, text in
          ExpertSet(parsing: text).map { ExpertHolding(node: NodeIndex(node), experts: $0) }
        })
    ])
}
