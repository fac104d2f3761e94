import Cluster
import Tensors

/// Which nodes hold each expert of the layers this node hosts, and the choice among replicas.
struct ExpertHolders {
  private let placement: Placement
  /// For each stage and expert the holders, ascending.
  private let holders: [[[NodeIndex]]]
  /// For each stage whether it has replicas.
  private let replicated: [Bool]
  private var choice: ReplicaChoice
  /// Moving averages of nanoseconds a row, `[nodeCount]`; 0 for a node that was never asked.
  private var rowTimes: [Double]

  init(_ placement: Placement, ownNode: NodeIndex, expertCount: Int) {
    self.placement = placement
    holders = placement.stages.map { stage in
      (0..<expertCount).map { stage.holders(of: ExpertIndex($0)) }
    }
    replicated = holders.map { stage in stage.contains { $0.count > 1 } }
    rowTimes = Array(repeating: 0, count: placement.nodes.count)
    choice = ReplicaChoice(nodeCount: placement.nodes.count, own: ownNode)
  }

  /// Writes the node chosen for each choice of one exchange.
  /// - Parameter excluded: a node that is not to be chosen.
  /// - Returns: false when some expert has no holder that could be chosen.
  mutating func assign(
    layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>,
    except excluded: NodeIndex? = nil
  ) -> Bool {
    guard let stage = placement.stage(of: layer) else {
      preconditionFailure("layer \(layer) is in no stage")
    }
    choice.begin()
    for index in 0..<count {
      guard let node = choice.choose(among: holders[stage][Int(experts[index])], except: excluded) else { return false }
      nodes[index] = Int32(node.rawValue)
    }
    return true
  }

  /// Likewise, without regard to who is gone.
  func assignAny(layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>) {
    guard let stage = placement.stage(of: layer) else { return }
    for index in 0..<count { nodes[index] = Int32(holders[stage][Int(experts[index])][0].rawValue) }
  }

  /// Whether an expert of the layer is on more than one node.
  func hasReplicas(_ layer: LayerIndex) -> Bool {
    placement.stage(of: layer).map { replicated[$0] } ?? false
  }

  /// A node is gone and is not chosen any more.
  mutating func exclude(_ node: NodeIndex) { choice.exclude(node) }

  /// A node took so long for so many rows of experts.
  mutating func measured(_ node: NodeIndex, rows: Int, time: Duration) {
    choice.measured(node: node, rows: rows, time: time)
    let nanoseconds = time / rows
    let (seconds, attoseconds) = nanoseconds.components
    let value = Double(seconds) * 1e9 + Double(attoseconds) * 1e-9
    let old = rowTimes[node.rawValue]
    rowTimes[node.rawValue] = old == 0 ? value : old + (value - old) / 16
  }

  /// Nanoseconds that a node takes for one row of one expert; nil when it was never asked.
  func rowNanoseconds(of node: NodeIndex) -> UInt64? {
    rowTimes[node.rawValue] > 0 ? UInt64(rowTimes[node.rawValue]) : nil
  }
}
