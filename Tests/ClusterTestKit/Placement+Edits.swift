public import Cluster
public import ModelSpec
public import Tensors

extension Placement {
  /// One thing changed, as people change a topology: an expert moved, a replica more or less, a host, a boundary between
  /// stages, a node more or less, or everything.
  /// - Parameter pool: nodes that there are.
  public func edited(random: inout SeededRandom, spec: ModelSpec, pool: [NodeID]) -> Placement {
    switch random.next(below: 7) {
    case 0: movingExpert(&random, keepsOld: false)
    case 1: movingExpert(&random, keepsOld: true)
    case 2: droppingReplica(&random)
    case 3:
      changingStage(&random) { stage, random in
        StagePlacement(
          layers: stage.layers, host: NodeIndex(random.next(below: self.nodes.count)), experts: stage.experts)
      }
    case 4: movingBoundary(&random)
    case 5: changingNodes(&random, spec: spec, pool: pool)
    default:
      Placement(
        random: &random, spec: spec, nodes: Array(pool.shuffled(using: &random).prefix(random.next(in: 1...pool.count)))
      )
    }
  }

  private func changingStage(
    _ random: inout SeededRandom, _ change: (StagePlacement, inout SeededRandom) -> StagePlacement
  ) -> Placement {
    var stages = stages
    let index = random.next(below: stages.count)
    stages[index] = change(stages[index], &random)
    return Placement(epoch: epoch, nodes: nodes, stages: stages)
  }

  private func movingExpert(_ random: inout SeededRandom, keepsOld: Bool) -> Placement {
    changingStage(&random) { stage, random in
      let all = ExpertSet(ranges: stage.experts.flatMap(\.experts.ranges)).members
      let expert = random.pick(all)
      let target = random.next(below: self.nodes.count)
      return Self.with(stage) { node, set in
        if node == target { return set.union([expert]) }
        return keepsOld ? set : set.subtracting([expert])
      }
    }
  }

  private func droppingReplica(_ random: inout SeededRandom) -> Placement {
    changingStage(&random) { stage, random in
      let replicated = ExpertSet(ranges: stage.experts.flatMap(\.experts.ranges)).members.filter { expert in
        stage.experts.count { $0.experts.contains(expert) } > 1
      }
      guard !replicated.isEmpty else { return stage }
      let expert = random.pick(replicated)
      let holder = random.pick(stage.experts.filter { $0.experts.contains(expert) }.map(\.node.rawValue))
      return Self.with(stage) { node, set in node == holder ? set.subtracting([expert]) : set }
    }
  }

  private static func with(
    _ stage: StagePlacement, _ change: (_ node: Int, Set<ExpertIndex>) -> Set<ExpertIndex>
  ) -> StagePlacement {
    let last = max(stage.experts.map(\.node.rawValue).max() ?? 0, nodeNames.count - 1)
    let holdings = (0...last).compactMap { node -> ExpertHolding? in
      let set = change(node, Set(stage.experts(of: NodeIndex(node)).members))
      return set.isEmpty ? nil : ExpertHolding(node: NodeIndex(node), experts: ExpertSet(set))
    }
    return StagePlacement(layers: stage.layers, host: stage.host, experts: holdings)
  }

  private func movingBoundary(_ random: inout SeededRandom) -> Placement {
    guard stages.count > 1 else { return splitting(&random) }
    let index = random.next(below: stages.count - 1)
    let whole = stages[index].layers.lowerBound.rawValue..<stages[index + 1].layers.upperBound.rawValue
    var stages = stages
    if random.next(below: 3) == 0 {
      let merged = LayerIndex(whole.lowerBound)..<LayerIndex(whole.upperBound)
      stages.remove(at: index + 1)
      stages[index] = StagePlacement(layers: merged, host: stages[index].host, experts: stages[index].experts)
    } else {
      let middle = LayerIndex(random.next(in: whole.lowerBound + 1...whole.upperBound - 1))
      for (place, layers) in [
        (index, LayerIndex(whole.lowerBound)..<middle), (index + 1, middle..<LayerIndex(whole.upperBound)),
      ] {
        stages[place] = StagePlacement(layers: layers, host: stages[place].host, experts: stages[place].experts)
      }
    }
    return Placement(epoch: epoch, nodes: nodes, stages: stages)
  }

  private func splitting(_ random: inout SeededRandom) -> Placement {
    guard let stage = stages.first, stage.layers.count > 1 else { return self }
    let middle = LayerIndex(random.next(in: 1...stage.layers.count - 1))
    let second = StagePlacement(
      layers: middle..<stage.layers.upperBound, host: NodeIndex(random.next(below: nodes.count)),
      experts: stage.experts)
    return Placement(
      epoch: epoch, nodes: nodes,
      stages: [
        StagePlacement(layers: stage.layers.lowerBound..<middle, host: stage.host, experts: stage.experts), second,
      ])
  }

  /// Adds a node with replicas, or takes one out and gives what it had to others.
  private func changingNodes(_ random: inout SeededRandom, spec: ModelSpec, pool: [NodeID]) -> Placement {
    let others = pool.filter { index(of: $0) == nil }
    if nodes.count == 1 || (!others.isEmpty && random.chance(0.5)) {
      guard !others.isEmpty else { return self }
      let added = nodes.count
      let all = ExpertSet(all: spec.hyperparameters.expertCount).members
      let grown = stages.map { stage in
        StagePlacement(
          layers: stage.layers, host: random.chance(0.2) ? NodeIndex(added) : stage.host,
          experts: stage.experts + [
            ExpertHolding(node: NodeIndex(added), experts: ExpertSet([random.pick(all), random.pick(all)]))
          ])
      }
      return Placement(epoch: epoch, nodes: nodes + [random.pick(others)], stages: grown)
    }
    let gone = random.next(below: nodes.count)
    let heir = (gone + 1) % nodes.count
    func moved(_ node: NodeIndex) -> NodeIndex {
      let node = node.rawValue == gone ? heir : node.rawValue
      return NodeIndex(node > gone ? node - 1 : node)
    }
    var left = nodes
    left.remove(at: gone)
    let shrunk = stages.map { stage in
      var sets: [NodeIndex: ExpertSet] = [:]
      for holding in stage.experts {
        sets[moved(holding.node), default: .empty] = (sets[moved(holding.node)] ?? .empty).union(holding.experts)
      }
      return StagePlacement(
        layers: stage.layers, host: moved(stage.host),
        experts: sets.sorted { $0.key.rawValue < $1.key.rawValue }.map { ExpertHolding(node: $0, experts: $1) })
    }
    return Placement(epoch: epoch, nodes: left, stages: shrunk)
  }

  /// `0-2@reef[reef:0-3 cove:4]`, for messages.
  public var short: String {
    nodes.map(\.rawValue).joined(separator: ",") + " "
      + stages.map { stage in
        let experts = stage.experts.map { "\(nodes[$0.node.rawValue]):\($0.experts)" }.joined(separator: " ")
        return "\(stage.layers.lowerBound)..<\(stage.layers.upperBound)@\(nodes[stage.host.rawValue])[\(experts)]"
      }.joined(separator: " ")
  }
}
