import Cluster
import Tensors

/// Which nodes hold each expert of the layers this node hosts, and the choice among replicas.
struct ExpertHolders {
  private let placement: Placement
  /// For each stage and expert the holders, ascending.
  private let holders: [[[NodeIndex]]]
  private var choice: ReplicaChoice

  init(_ placement: Placement, ownNode: NodeIndex, expertCount: Int) {
    self.placement = placement
    holders = placement.stages.map { stage in
      (0..<expertCount).map { stage.holders(of: ExpertIndex($0)) }
    }
    choice = ReplicaChoice(nodeCount: placement.nodes.count, own: ownNode)
  }

  /// Writes the node chosen for each choice of one exchange.
  mutating func assign(
    layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>
  ) {
    guard let stage = placement.stage(of: layer) else {
      preconditionFailure("layer \(layer) is in no stage")
    }
    choice.begin()
    for index in 0..<count {
      nodes[index] = Int32(choice.choose(among: holders[stage][Int(experts[index])]).rawValue)
    }
  }
}
