import Cluster
import Tensors

/// Which nodes hold each expert of the layers this node hosts, and the choice among replicas.
struct ExpertHolders {
  private let stages: [StagePlacement]
  private let ownNode: NodeIndex
  /// For each stage and expert the holders, ascending.
  private let holders: [[[NodeIndex]]]
  /// Choices that fell on each node in the current exchange.
  private var load: [Int]

  init(_ placement: Placement, ownNode: NodeIndex, expertCount: Int) {
    stages = placement.stages
    self.ownNode = ownNode
    holders = placement.stages.map { stage in
      (0..<expertCount).map { expert in
        stage.experts.filter { $0.experts.contains(ExpertIndex(expert)) }.map(\.node).sorted()
      }
    }
    load = Array(repeating: 0, count: placement.nodes.count)
  }

  /// Writes the node chosen for each choice of one exchange: this node if it holds the expert, else the holder with the
  /// fewest choices so far, the lower index of equals.
  mutating func assign(
    layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>
  ) {
    guard let stage = stages.firstIndex(where: { $0.layers.contains(layer) }) else {
      preconditionFailure("layer \(layer) is in no stage")
    }
    for node in load.indices { load[node] = 0 }
    for index in 0..<count {
      let candidates = holders[stage][Int(experts[index])]
      var best = candidates[0]
      for node in candidates {
        if node == ownNode {
          best = node
          break
        }
        if load[node.rawValue] < load[best.rawValue] { best = node }
      }
      load[best.rawValue] += 1
      nodes[index] = Int32(best.rawValue)
    }
  }
}
