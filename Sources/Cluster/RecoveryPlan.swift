public import Tensors

/// Where everything goes when nodes are missing, or cannot reach each other.
public enum RecoveryPlan {
  /// What can be done.
  public enum Outcome: Sendable, Hashable {
    /// This can run: its participants are available, and those that must talk can.
    case placement(Placement)
    /// Nothing can; the reason is a sentence that says what lacks how much, and what is waited for.
    case impossible(reason: String)
  }

  /// Most sets of nodes left out in turn, when there are nodes that cannot reach each other.
  private static let attemptCountMax = 64

  /// The placement to run.
  ///
  /// `desired` itself, when its participants are available and none that must talk are apart. Else `current`, if that
  /// still can run and keeps the limits: what runs is not moved twice. Else `desired` with as little changed as works:
  /// - A node that is missing loses what it has; so does a holder of experts that cannot reach their host. An expert
  ///   with another holder loses just the replica.
  /// - A stage without a host gets one of those that hosted most of it in `current`, then one that holds experts of it,
  ///   then the one with most room, that reaches the neighbouring hosts.
  /// - Experts without a holder go to a node that has them in `current` or in `desired`, then to the one with most room,
  ///   spares included.
  /// - Where there is no room so, replicas give way, then experts move on to make room, then the layers of a stage are
  ///   spread over several hosts. Where nodes that are apart leave no way, one of them is left out.
  ///
  /// The result lists the nodes of `desired` and has its epoch, unless it is `current`. The same for the same arguments.
  /// - Parameters:
  ///   - desired: what the topology asks for; fits the model.
  ///   - current: what runs, or ran last.
  ///   - available: nodes that can take part; those that `desired` does not name are not used.
  ///   - apart: nodes that cannot reach each other.
  ///   - limits: most bytes of a node (weights, KV cache and scratch together); no limit for a node that is not there.
  ///   - context: positions of the longest sequence.
  ///   - sequences: sequences with a KV cache at a time.
  ///   - rows: most rows of one pass through the layers.
  public static func place(
    desired: Placement, current: Placement?, available: Set<NodeID>, apart: Set<NodePair>, limits: [NodeID: Int],
    facts: ModelFacts, sizes: ModelSizes, context: Int, sequences: Int, rows: Int
  ) -> Outcome {
    if canRun(desired, available: available, apart: apart) { return .placement(desired) }
    let current = current.flatMap { $0.problem(for: facts) == nil ? $0 : nil }
    let terms = MemoryTerms(facts: facts, sizes: sizes, context: context, sequences: sequences, rows: rows)
    if let current, canRun(current, available: available, apart: apart) {
      let meter = MemoryMeter(terms, LayerGrid(current, nodes: current.nodes, facts: facts))
      let isWithin = current.nodes.indices.allSatisfy { meter.totalBytes($0) <= limits[current.nodes[$0]] ?? .max }
      if isWithin { return .placement(current) }
    }
    let usable = Set(desired.nodes).intersection(available)
    let awaited = awaited(desired, available: available, apart: apart)
    guard !usable.isEmpty else { return .impossible(reason: "no node is available; \(awaited)") }
    let cluster = RecoverySearch.Cluster(
      terms: terms, desired: desired, current: current, limits: limits, apart: apart)
    var failure: String?
    var attempts: [Set<NodeID>] = [[]]
    var next = 0
    while next < attempts.count {
      let excluded = attempts[next]
      next += 1
      let left = usable.subtracting(excluded)
      for effort in RecoverySearch.Effort.allCases {
        var search = RecoverySearch(cluster, usable: left, effort: effort)
        if let grid = search.solve(),
          let placement = grid.placement(epoch: desired.epoch, boundaries: cluster.boundaries)
            .renumbered(nodes: desired.nodes)
        {
          return .placement(placement)
        }
        failure = failure ?? search.failure
      }
      let pair = apart.filter { left.contains($0.lower) && left.contains($0.higher) }.min()
      for node in pair.map({ [$0.lower, $0.higher] }) ?? [] {
        let more = excluded.union([node])
        if attempts.count < attemptCountMax, !attempts.contains(more), more != usable { attempts.append(more) }
      }
    }
    return .impossible(reason: "\(failure ?? "the nodes that are left do not suffice"); \(awaited)")
  }

  /// Whether all participants are available, and none that exchange frames are apart.
  static func canRun(_ placement: Placement, available: Set<NodeID>, apart: Set<NodePair>) -> Bool {
    placement.participants.allSatisfy { node in
      let name = placement.name(node)
      return available.contains(name)
        && (apart.isEmpty
          || placement.peers(of: node).allSatisfy { !apart.contains(NodePair(name, placement.name($0))) })
    }
  }

  private static func awaited(_ desired: Placement, available: Set<NodeID>, apart: Set<NodePair>) -> String {
    let missing = desired.nodes.filter { !available.contains($0) }
    var parts: [String] = []
    if !missing.isEmpty { parts.append(TopologyDecoder.list(missing.map(\.rawValue))) }
    let links = apart.filter { available.contains($0.lower) && available.contains($0.higher) }.sorted()
    if !links.isEmpty { parts.append("a link between \(TopologyDecoder.list(links.map(\.description)))") }
    return parts.isEmpty ? "add a node, or give one more memory" : "waiting for \(parts.joined(separator: " and "))"
  }
}
