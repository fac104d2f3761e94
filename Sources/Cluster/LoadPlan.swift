public import Tensors

/// A topology with the same nodes, stages and hosts, whose experts are spread by how much they are used.
///
/// Each stage is balanced by itself, since a layer waits for the slowest of its nodes: as long as that brings down the
/// load of the most loaded node by at least 2 %, one of its experts goes to another node, or changes places with a less
/// used one; never so that a node gets more to do in all stages together than the one with most to do has. All nodes of the topology take part, spares too. Replicas stay where they are, and their rows count on the
/// holders in proportion to the speeds of these; only experts with one holder move.
public struct LoadPlan: Sendable, Hashable {
  /// What one node has to do.
  public struct NodeLoad: Sendable, Hashable {
    /// The node.
    public let name: NodeID
    /// Rows of experts that it computes for a token, on average, over all layers, as placed now.
    public let rowsBefore: Double
    /// The same as proposed.
    public let rowsAfter: Double
    /// `rowsBefore` divided by the node's speed.
    public let before: Double
    /// `rowsAfter` divided by the node's speed.
    public let after: Double
  }

  /// What is proposed, over the nodes of the topology in file order; the epoch is that of the placement now.
  public let placement: Placement
  /// In the order of the topology.
  public let loads: [NodeLoad]
  /// What is proposed as a whole topology.json; lines end with a line feed.
  public let text: String

  /// Balances what was measured.
  /// - Parameters:
  ///   - topology: gives the nodes, and everything of the text but the experts.
  ///   - placement: as it is now; fits the model.
  ///   - use: how often experts are chosen.
  ///   - speeds: of nodes, in rows per second or any other unit; those not given, not finite or not positive count as the
  ///     average of the others.
  ///   - limits: most bytes of a node (weights, KV cache and scratch together); no limit for a node that is not there.
  ///   - context: positions of the longest sequence.
  ///   - sequences: sequences with a KV cache at a time.
  ///   - rows: most rows of one pass through the layers.
  /// - Returns: nil when the placement has something on a node that the topology does not name.
  public static func propose(
    topology: Topology, placement: Placement, use: ExpertUse, speeds: [NodeID: Double], limits: [NodeID: Int],
    facts: ModelFacts, sizes: ModelSizes, context: Int, sequences: Int, rows: Int
  ) -> LoadPlan? {
    let names = topology.nodes.map(\.name.value)
    guard let before = placement.renumbered(nodes: names) else { return nil }
    let known = names.compactMap { speeds[$0] }.filter { $0.isFinite && $0 > 0 }
    let average = known.isEmpty ? 1 : known.reduce(0, +) / Double(known.count)
    let speeds = names.map { name in speeds[name].flatMap { $0.isFinite && $0 > 0 ? $0 : nil } ?? average }
    let terms = MemoryTerms(facts: facts, sizes: sizes, context: context, sequences: sequences, rows: rows)
    let uses = before.stages.map { Self.uses(of: $0, use, facts, expertsPerToken: sizes.expertsPerToken) }
    let holders = zip(before.stages, uses).map { stage, uses in
      uses.indices.map { stage.holders(of: ExpertIndex($0)).map(\.rawValue) }
    }
    func expectedRows(_ holders: [[[Int]]]) -> [Double] {
      names.indices.map { node in
        zip(holders, uses).reduce(0) { $0 + LoadBalance.rows(of: node, $1.0, $1.1, speeds: speeds) }
      }
    }
    let rowsBefore = expectedRows(holders)
    var balance = LoadBalance(
      terms: terms, placement: before, speeds: speeds, limits: names.map { max(0, limits[$0] ?? .max) },
      totalLoads: zip(rowsBefore, speeds).map { $0 / $1 })
    let proposed = before.stages.indices.map { stage in
      balance.balance(holders[stage], uses: uses[stage], layers: before.stages[stage].layers)
    }
    let rowsAfter = expectedRows(proposed)
    let stages = zip(before.stages, proposed).map { stage, holders in
      StagePlacement(layers: stage.layers, host: stage.host, experts: Self.holdings(holders))
    }
    let placement = Placement(epoch: placement.epoch, nodes: names, stages: stages)
    let loads = names.indices.map { node in
      NodeLoad(
        name: names[node], rowsBefore: rowsBefore[node], rowsAfter: rowsAfter[node],
        before: rowsBefore[node] / speeds[node], after: rowsAfter[node] / speeds[node])
    }
    return LoadPlan(placement: placement, loads: loads, text: TopologyText.write(topology, placement, facts))
  }

  /// Rows of each expert for a token, over the layers of a stage.
  private static func uses(
    of stage: StagePlacement, _ use: ExpertUse, _ facts: ModelFacts, expertsPerToken: Int
  ) -> [Double] {
    var uses = Array(repeating: 0.0, count: facts.expertCountMax(stage.layers))
    for layer in stage.layers {
      for (expert, share) in use.shares(layer).enumerated() where expert < uses.count {
        uses[expert] += share * Double(expertsPerToken)
      }
    }
    return uses
  }

  private static func holdings(_ holders: [[Int]]) -> [ExpertHolding] {
    var ranges: [Int: [Range<Int>]] = [:]
    for (expert, nodes) in holders.enumerated() {
      for node in nodes { ranges[node, default: []].append(expert..<expert + 1) }
    }
    return ranges.sorted { $0.key < $1.key }
      .map { ExpertHolding(node: NodeIndex($0.key), experts: ExpertSet(ranges: $0.value)) }
  }
}
