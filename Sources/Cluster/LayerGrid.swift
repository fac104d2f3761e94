import Tensors

/// A placement taken apart into single layers and experts, over a list of nodes that may be longer than its own.
///
/// What plans changes works on this: here one expert of one layer can move alone. Nodes are positions in `nodes`.
struct LayerGrid: Sendable, Hashable {
  let nodes: [NodeID]
  let facts: ModelFacts
  /// Host of each layer.
  var hosts: [Int]
  /// Holders of each expert of each layer, ascending.
  var holders: [[[Int]]]

  init(nodes: [NodeID], facts: ModelFacts, hosts: [Int], holders: [[[Int]]]) {
    self.nodes = nodes
    self.facts = facts
    self.hosts = hosts
    self.holders = holders
  }

  /// Takes apart a placement that fits the model, and whose nodes that hold something are among `nodes`.
  init(_ placement: Placement, nodes: [NodeID], facts: ModelFacts) {
    self.init(
      nodes: nodes, facts: facts, hosts: Array(repeating: 0, count: facts.layerCount),
      holders: facts.expertCounts.map { Array(repeating: [], count: $0) })
    let positions = Dictionary(nodes.enumerated().map { ($1, $0) }) { first, _ in first }
    func position(_ node: NodeIndex) -> Int {
      guard let position = positions[placement.name(node)] else { preconditionFailure("a node that is not listed") }
      return position
    }
    for stage in placement.stages {
      let host = position(stage.host)
      for layer in stage.layers { hosts[layer.rawValue] = host }
      for holding in stage.experts where !holding.experts.isEmpty {
        let node = position(holding.node)
        for layer in stage.layers {
          for range in holding.experts.ranges {
            for expert in range.clamped(to: 0..<facts.expertCount(layer)) {
              holders[layer.rawValue][expert].append(node)
            }
          }
        }
      }
    }
    for layer in holders.indices {
      for expert in holders[layer].indices where holders[layer][expert].count > 1 {
        holders[layer][expert].sort()
      }
    }
  }

  var lastLayer: Int { hosts.count - 1 }

  /// Put together again: neighbouring layers that are held alike are one stage, unless one of `boundaries` parts them.
  func placement(epoch: PlacementEpoch, boundaries: Set<LayerIndex>) -> Placement {
    var stages: [StagePlacement] = []
    var first = 0
    while first < hosts.count {
      // The layer of the stage with the most experts says who holds them in all of its layers.
      var (end, widest) = (first + 1, first)
      while end < hosts.count, !boundaries.contains(LayerIndex(end)), hosts[end] == hosts[first],
        areHeldAlike(widest, end)
      {
        if holders[end].count > holders[widest].count { widest = end }
        end += 1
      }
      stages.append(
        StagePlacement(
          layers: LayerIndex(first)..<LayerIndex(end), host: NodeIndex(hosts[first]), experts: holdings(widest)))
      first = end
    }
    return Placement(epoch: epoch, nodes: nodes, stages: stages)
  }

  private func areHeldAlike(_ left: Int, _ right: Int) -> Bool {
    let count = min(holders[left].count, holders[right].count)
    return holders[left].prefix(count) == holders[right].prefix(count)
  }

  private func holdings(_ layer: Int) -> [ExpertHolding] {
    var ranges: [Int: [Range<Int>]] = [:]
    for (expert, holders) in holders[layer].enumerated() {
      for node in holders { ranges[node, default: []].append(expert..<expert + 1) }
    }
    return ranges.keys.sorted().map { node in
      ExpertHolding(node: NodeIndex(node), experts: ExpertSet(ranges: ranges[node, default: []]))
    }
  }
}
