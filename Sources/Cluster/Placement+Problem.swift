public import Tensors

extension Placement {
  /// Everything of the model on one node, which is its own host.
  public init(single node: NodeID, facts: ModelFacts, epoch: PlacementEpoch = PlacementEpoch(rawValue: 1)) {
    let count = facts.expertCounts.max() ?? 0
    let experts = count == 0 ? [] : [ExpertHolding(node: 0, experts: ExpertSet(all: count))]
    self.init(
      epoch: epoch, nodes: [node], stages: [StagePlacement(layers: facts.layers, host: 0, experts: experts)])
  }

  /// What is wrong with a placement that came from elsewhere, as a sentence; nil when it fits the model.
  ///
  /// `Topology.place` gives none of these; a worker asks it of the placement that a coordinator sends.
  public func problem(for facts: ModelFacts) -> String? {
    if nodes.isEmpty || nodes.count > Topology.nodeCountMax { return "it names \(nodes.count) nodes" }
    if let name = nodes.first(where: { !TopologyNode.isName($0.rawValue) }) {
      return "\(quoted(name.rawValue)) cannot name a node"
    }
    if Set(nodes).count != nodes.count { return "two nodes have one name" }
    var next: LayerIndex = 0
    for (index, stage) in stages.enumerated() {
      guard stage.layers.lowerBound == next, !stage.layers.isEmpty, stage.layers.upperBound <= facts.layers.upperBound
      else { return "stage \(index) has layers \(stage.layers.text) where layer \(next) comes next" }
      next = stage.layers.upperBound
      if let problem = problem(of: stage, facts) { return "stage \(index): \(problem)" }
    }
    return next == facts.layers.upperBound ? nil : "layer \(next) is in no stage"
  }

  private func problem(of stage: StagePlacement, _ facts: ModelFacts) -> String? {
    let known = 0..<NodeIndex(nodes.count)
    guard known.contains(stage.host) else { return "there is no node \(stage.host) to be host" }
    let all = ExpertSet(all: facts.expertCountMax(stage.layers))
    var seen = Set<NodeIndex>()
    for holding in stage.experts {
      guard known.contains(holding.node) else { return "there is no node \(holding.node) to hold experts" }
      guard seen.insert(holding.node).inserted else { return "node \(holding.node) has two sets of experts" }
      if let beyond = holding.experts.subtracting(all).first { return "there is no expert \(beyond)" }
    }
    let missing = all.subtracting(ExpertSet(ranges: stage.experts.flatMap(\.experts.ranges)))
    return missing.isEmpty ? nil : "experts \(missing) are on no node"
  }
}
