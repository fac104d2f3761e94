public import ModelSpec
public import Tensors

extension Placement {
  /// The same under another epoch.
  public func with(epoch: PlacementEpoch) -> Placement { Placement(epoch: epoch, nodes: nodes, stages: stages) }

  /// The same stages over another list of nodes, or the same nodes in another order.
  ///
  /// Holdings of a stage stand in the new order; those without experts are left out when their node is.
  /// - Returns: nil when a node that holds something is not in the list, or a name is in it twice.
  public func renumbered(nodes list: [NodeID]) -> Placement? {
    let positions = Dictionary(list.enumerated().map { ($1, NodeIndex($0)) }) { first, _ in first }
    guard positions.count == list.count else { return nil }
    var renumbered: [StagePlacement] = []
    for stage in stages {
      guard let host = positions[name(stage.host)] else { return nil }
      var holdings: [ExpertHolding] = []
      for holding in stage.experts {
        if let node = positions[name(holding.node)] {
          holdings.append(ExpertHolding(node: node, experts: holding.experts))
        } else if !holding.experts.isEmpty {
          return nil
        }
      }
      holdings.sort { $0.node < $1.node }
      renumbered.append(StagePlacement(layers: stage.layers, host: host, experts: holdings))
    }
    return Placement(epoch: epoch, nodes: list, stages: renumbered)
  }

  /// Whether another placement puts every layer and expert on nodes of the same names.
  ///
  /// Epochs, the order of nodes, nodes that hold nothing and boundaries between stages that are held alike do not count.
  /// - Parameter facts: the model's, which both placements fit, to leave out experts that a layer does not have; they
  ///   matter where layers differ in their number.
  public func hasSameShape(as other: Placement, facts: ModelFacts? = nil) -> Bool {
    guard layerCount == other.layerCount else { return false }
    if let facts {
      let names = nodes + other.nodes.filter { index(of: $0) == nil }
      return LayerGrid(self, nodes: names, facts: facts) == LayerGrid(other, nodes: names, facts: facts)
    }
    let cuts = Set((stages + other.stages).map(\.layers.lowerBound))
    return cuts.allSatisfy { layer in
      guard let mine = stage(of: layer), let theirs = other.stage(of: layer) else { return false }
      return name(stages[mine].host) == other.name(other.stages[theirs].host)
        && expertsByName(mine) == other.expertsByName(theirs)
    }
  }

  /// The same with its stages cut in two wherever one of `boundaries` lies within; a part of the stage begins there.
  ///
  /// Neighbouring stages on one host are legal. A part whose layers have fewer experts than the stage had keeps those
  /// that exist.
  public func refined(at boundaries: Set<LayerIndex>, facts: ModelFacts) -> Placement {
    var parts: [StagePlacement] = []
    for stage in stages {
      let inner = boundaries.filter { stage.layers.contains($0) && $0 != stage.layers.lowerBound }.sorted()
      guard !inner.isEmpty else {
        parts.append(stage)
        continue
      }
      let cuts = [stage.layers.lowerBound] + inner + [stage.layers.upperBound]
      for (low, high) in zip(cuts, cuts.dropFirst()) {
        let existing = ExpertSet(all: facts.expertCountMax(low..<high))
        let holdings = stage.experts.map {
          ExpertHolding(node: $0.node, experts: $0.experts.intersection(existing))
        }
        parts.append(
          StagePlacement(layers: low..<high, host: stage.host, experts: holdings.filter { !$0.experts.isEmpty }))
      }
    }
    return Placement(epoch: epoch, nodes: nodes, stages: parts)
  }

  /// The pieces of weights that the node of a name holds; none for a name that is not in the placement.
  public func pieces(of name: NodeID, facts: ModelFacts) -> Set<PieceID> {
    index(of: name).map { Set(pieces(for: $0, facts: facts)) } ?? []
  }

  /// Name of a node.
  func name(_ node: NodeIndex) -> NodeID { nodes[node.rawValue] }

  private func expertsByName(_ stage: Int) -> [NodeID: ExpertSet] {
    var experts: [NodeID: ExpertSet] = [:]
    for holding in stages[stage].experts where !holding.experts.isEmpty {
      experts[name(holding.node)] = holding.experts
    }
    return experts
  }
}
