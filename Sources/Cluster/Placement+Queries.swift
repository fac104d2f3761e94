public import Tensors

extension Placement {
  /// Layers of the model.
  public var layerCount: Int { stages.last?.layers.upperBound.rawValue ?? 0 }

  /// The host that embeds tokens.
  public var firstHost: NodeIndex? { stages.first?.host }

  /// The host that makes logits and samples.
  public var lastHost: NodeIndex? { stages.last?.host }

  /// Position of a node in `nodes`.
  public func index(of node: NodeID) -> NodeIndex? { nodes.firstIndex(of: node).map { NodeIndex($0) } }

  /// Positions in `stages` of the stages that a node is host of, ascending.
  public func stages(hostedBy node: NodeIndex) -> [Int] { stages.indices.filter { stages[$0].host == node } }

  /// Position in `stages` of the stage that a layer is in.
  public func stage(of layer: LayerIndex) -> Int? { stages.firstIndex { $0.layers.contains(layer) } }

  /// The nodes that hold an expert of a stage, ascending; more than one means replicas.
  public func holders(of expert: ExpertIndex, stage: Int) -> [NodeIndex] { stages[stage].holders(of: expert) }

  /// The experts of a stage that a node holds.
  public func experts(of node: NodeIndex, stage: Int) -> ExpertSet { stages[stage].experts(of: node) }

  /// The nodes that a step needs, ascending: hosts, and nodes with experts. The others are spares.
  public var participants: [NodeIndex] {
    let taking = Set(stages.flatMap { [$0.host] + $0.expertNodes })
    return taking.sorted()
  }

  /// The nodes, ascending, that a node exchanges data frames with while steps run: for a host, the nodes with experts
  /// of its stages and the hosts before and after; for a node with experts, the hosts of those stages.
  public func peers(of node: NodeIndex) -> [NodeIndex] {
    var peers = Set<NodeIndex>()
    for (index, stage) in stages.enumerated() {
      if stage.host == node {
        peers.formUnion(stage.expertNodes)
        if index > 0 { peers.insert(stages[index - 1].host) }
        if index + 1 < stages.count { peers.insert(stages[index + 1].host) }
      } else if stage.expertNodes.contains(node) {
        peers.insert(stage.host)
      }
    }
    peers.remove(node)
    return peers.sorted()
  }
}

extension StagePlacement {
  /// The nodes that hold an expert, ascending.
  public func holders(of expert: ExpertIndex) -> [NodeIndex] {
    experts.filter { $0.experts.contains(expert) }.map(\.node).sorted()
  }

  /// The experts that a node holds.
  public func experts(of node: NodeIndex) -> ExpertSet {
    experts.first { $0.node == node }?.experts ?? .empty
  }

  /// The nodes with at least one expert, ascending.
  public var expertNodes: [NodeIndex] { experts.filter { !$0.experts.isEmpty }.map(\.node).sorted() }
}
