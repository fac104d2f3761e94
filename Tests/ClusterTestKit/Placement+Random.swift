public import Cluster
public import ModelSpec
public import Tensors

extension Placement {
  /// Names of nodes in tests.
  public static let nodeNames: [NodeID] = ["reef", "cove", "sound", "kelp", "bay", "fjord"]

  /// A placement drawn at random: one to three stages over one to five nodes, shares as uneven as chance makes them,
  /// about a third of the experts on two nodes, at times nodes that hold nothing.
  public init(random: inout SeededRandom, spec: ModelSpec) {
    self.init(random: &random, spec: spec, nodes: Array(Self.nodeNames.prefix(random.next(in: 1...5))))
  }

  /// Likewise over all of these nodes.
  public init(random: inout SeededRandom, spec: ModelSpec, nodes: [NodeID]) {
    let layers = spec.hyperparameters.layerCount
    let count = nodes.count
    let stageCount = random.next(in: 1...min(3, layers))
    var start = 0
    var stages: [StagePlacement] = []
    for stage in 0..<stageCount {
      let left = stageCount - stage - 1
      let end = left == 0 ? layers : start + random.next(in: 1...layers - left - start)
      stages.append(
        StagePlacement(
          layers: LayerIndex(start)..<LayerIndex(end), host: NodeIndex(random.next(below: count)),
          experts: Self.holdings(Self.expertCount(LayerIndex(start)..<LayerIndex(end), spec), nodes: count, &random)))
      start = end
    }
    self.init(
      epoch: PlacementEpoch(rawValue: 1), nodes: nodes, stages: stages)
  }

  /// Experts of a stage; 0 when none of its layers has any.
  private static func expertCount(_ layers: Range<LayerIndex>, _ spec: ModelSpec) -> Int {
    layers.contains { spec.requiresExperts($0) } ? spec.hyperparameters.expertCount : 0
  }

  /// Everything on one node.
  public static func whole(_ spec: ModelSpec) -> Placement {
    let count = expertCount(spec.layers, spec)
    let experts = ExpertSet((0..<count).map { ExpertIndex($0) })
    return Placement(
      epoch: PlacementEpoch(rawValue: 1), nodes: [nodeNames[0]],
      stages: [
        StagePlacement(
          layers: spec.layers, host: 0, experts: count == 0 ? [] : [ExpertHolding(node: 0, experts: experts)])
      ])
  }

  private static func holdings(_ experts: Int, nodes: Int, _ random: inout SeededRandom) -> [ExpertHolding] {
    // Some nodes are drawn more often, some never.
    let weights = (0..<nodes).map { _ in random.next(below: 4) }
    let pool = zip(0..<nodes, weights).flatMap { Array(repeating: $0, count: $1) }
    let candidates = pool.isEmpty ? [random.next(below: nodes)] : pool
    var sets = [Set<Int>](repeating: [], count: nodes)
    for expert in 0..<experts {
      sets[random.pick(candidates)].insert(expert)
      if random.next(below: 3) == 0 { sets[random.pick(candidates)].insert(expert) }
    }
    return sets.enumerated().compactMap { node, set in
      set.isEmpty
        ? nil
        : ExpertHolding(node: NodeIndex(node), experts: ExpertSet(set.map { ExpertIndex($0) }))
    }
  }

  /// Stages given as layers, host and the experts of each node as text, in the order of `nodeNames`; `""` for none.
  public init(nodes: Int, _ stages: [(layers: Range<Int>, host: Int, experts: [String])]) {
    self.init(
      epoch: PlacementEpoch(rawValue: 1), nodes: Array(Self.nodeNames.prefix(nodes)),
      stages: stages.map { stage in
        StagePlacement(
          layers: LayerIndex(stage.layers.lowerBound)..<LayerIndex(stage.layers.upperBound),
          host: NodeIndex(stage.host),
          experts: stage.experts.enumerated().compactMap { node, text in
            ExpertSet(parsing: text).map { ExpertHolding(node: NodeIndex(node), experts: $0) }
          })
      })
  }
}
