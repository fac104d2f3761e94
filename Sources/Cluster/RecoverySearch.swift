import Tensors

/// Looks for hosts and holders among the nodes that are left, with one degree of effort.
///
/// Hosts are chosen stage by stage, going back where a choice leads nowhere; then experts without a holder are given
/// out. All of it is bounded: it may miss a way that only a long search would find.
struct RecoverySearch {
  /// What may be changed to make room, each more than the one before.
  enum Effort: Int, CaseIterable {
    /// Whatever still has a place keeps it.
    case keep
    /// An expert keeps one holder.
    case dropReplicas
    /// Experts may move although their holder is there.
    case moveExperts
    /// Besides, the layers of a stage without a host may go to several.
    case splitStages
  }

  /// What is the same in all attempts. Nodes are positions in `desired.nodes`.
  struct Cluster {
    let terms: MemoryTerms
    let desired: LayerGrid
    let current: LayerGrid?
    /// Most bytes of each node.
    let limits: [Int]
    /// For each node those that it cannot reach.
    let apart: [Set<Int>]
    /// Layers of the desired stages.
    let stages: [Range<Int>]

    init(
      terms: MemoryTerms, desired: Placement, current: Placement?, limits: [NodeID: Int], apart: Set<NodePair>
    ) {
      let nodes = desired.nodes + (current?.nodes ?? []).filter { desired.index(of: $0) == nil }
      self.terms = terms
      self.desired = LayerGrid(desired, nodes: nodes, facts: terms.facts)
      self.current = current.map { LayerGrid($0, nodes: nodes, facts: terms.facts) }
      self.limits = nodes.map { max(0, limits[$0] ?? .max) }
      let positions = Dictionary(nodes.enumerated().map { ($1, $0) }) { first, _ in first }
      var unreachable = nodes.map { _ in Set<Int>() }
      for pair in apart {
        guard let one = positions[pair.lower], let other = positions[pair.higher], one != other else { continue }
        unreachable[one].insert(other)
        unreachable[other].insert(one)
      }
      self.apart = unreachable
      stages = desired.stages.map { $0.layers.lowerBound.rawValue..<$0.layers.upperBound.rawValue }
    }

    var boundaries: Set<LayerIndex> { Set(stages.map { LayerIndex($0.lowerBound) }) }
  }

  private static let visitCountMax = 4096
  private static let leafCountMax = 16

  let cluster: Cluster
  let isUsable: [Bool]
  let effort: Effort
  /// Why there is no way, from the first place where none was found.
  private(set) var failure: String?
  /// Layers that get a host together: stages, or parts of one.
  private var spans: [Range<Int>] = []
  private var hosts: [Int] = []
  private var visitCount = 0
  private var leafCount = 0

  /// - Parameter usable: nodes that may take part.
  init(_ cluster: Cluster, usable: Set<NodeID>, effort: Effort) {
    self.cluster = cluster
    isUsable = cluster.desired.nodes.map { usable.contains($0) }
    self.effort = effort
  }

  /// Everything on usable nodes; nil when no way was found.
  mutating func solve() -> LayerGrid? {
    for stage in cluster.stages {
      if effort == .splitStages, !isUsable[cluster.desired.hosts[stage.lowerBound]] {
        spans += stage.map { $0..<$0 + 1 }
      } else {
        spans.append(stage)
      }
    }
    // What stays where it is takes its room from the beginning.
    var meter = MemoryMeter(cluster.terms, nodeCount: isUsable.count)
    for span in spans where isUsable[cluster.desired.hosts[span.lowerBound]] {
      for layer in span { meter.addHost(of: layer, cluster.desired.hosts[layer]) }
    }
    for layer in cluster.desired.holders.indices {
      for expert in cluster.desired.holders[layer].indices {
        for node in kept(expert, of: layer) { meter.addExpert(expert, of: layer, node) }
      }
    }
    return chooseHosts(meter)
  }

  // MARK: - Hosts

  /// Chooses the host of the next span and of all behind it.
  private mutating func chooseHosts(_ meter: MemoryMeter) -> LayerGrid? {
    guard hosts.count < spans.count else {
      leafCount += 1
      var dealer = RecoveryDealer(self, hosts: hostsByLayer)
      let grid = dealer.deal()
      failure = failure ?? dealer.failure
      return grid
    }
    visitCount += 1
    let span = spans[hosts.count]
    let desired = cluster.desired.hosts[span.lowerBound]
    var isRefused = true
    for node in ranked(span, meter) where reachesBefore(node) {
      guard visitCount < Self.visitCountMax, leafCount < Self.leafCountMax else { return nil }
      var filled = meter
      if node != desired {
        for layer in span { filled.addHost(of: layer, node) }
        guard filled.totalBytes(node) <= cluster.limits[node] else { continue }
      }
      isRefused = false
      hosts.append(node)
      if let grid = chooseHosts(filled) { return grid }
      hosts.removeLast()
    }
    if isRefused, failure == nil { failure = hostFailure(span, meter) }
    return nil
  }

  private var hostsByLayer: [Int] {
    var byLayer = cluster.desired.hosts
    for (span, host) in zip(spans, hosts) {
      for layer in span { byLayer[layer] = host }
    }
    return byLayer
  }

  private func reachesBefore(_ node: Int) -> Bool { hosts.last.map { !cluster.apart[node].contains($0) } ?? true }

  /// Usable nodes, the best host for the layers first.
  private func ranked(_ span: Range<Int>, _ meter: MemoryMeter) -> [Int] {
    var expertNodes = Set<Int>()
    for layer in span { for holders in cluster.desired.holders[layer] { expertNodes.formUnion(holders) } }
    let keys = isUsable.indices.map { node -> [Int] in
      let hosted = span.count { cluster.current?.hosts[$0] == node }
      return [
        cluster.desired.hosts[span.lowerBound] == node ? 0 : 1, -hosted, hosts.last == node ? 0 : 1,
        expertNodes.contains(node) ? 0 : 1, -cluster.free(node, meter), meter.totalBytes(node), node,
      ]
    }
    return isUsable.indices.filter { isUsable[$0] }.sorted { keys[$0].lexicographicallyPrecedes(keys[$1]) }
  }

  private func hostFailure(_ span: Range<Int>, _ meter: MemoryMeter) -> String {
    let what = describe(span)
    let reachable = isUsable.indices.filter { isUsable[$0] && reachesBefore($0) }
    guard let best = reachable.max(by: { (cluster.free($0, meter), $1) < (cluster.free($1, meter), $0) }) else {
      return "no node that reaches the host before it is left for \(what)"
    }
    var filled = meter
    for layer in span { filled.addHost(of: layer, best) }
    let needed = filled.totalBytes(best) - meter.totalBytes(best)
    return "no node has room for \(what): \(ByteCountText.describe(needed)) are needed, "
      + "\(cluster.desired.nodes[best]) has \(ByteCountText.describe(cluster.free(best, meter))) left"
  }

  private func describe(_ span: Range<Int>) -> String {
    let layers = PieceListText.layers(LayerIndex(span.lowerBound)..<LayerIndex(span.upperBound))
    return cluster.stages.firstIndex(of: span).map { "stage \($0) (\(layers))" } ?? layers
  }

  // MARK: - Experts

  /// The nodes that hold an expert without being asked anew.
  func kept(_ expert: Int, of layer: Int) -> [Int] {
    let usable = cluster.desired.holders[layer][expert].filter { isUsable[$0] }
    switch effort {
    case .keep: return usable
    case .dropReplicas:
      let current = cluster.current?.holders[layer][expert] ?? []
      return (usable.first { current.contains($0) } ?? usable.first).map { [$0] } ?? []
    case .moveExperts, .splitStages: return []
    }
  }
}

extension RecoverySearch.Cluster {
  /// Bytes that a node may still take.
  func free(_ node: Int, _ meter: MemoryMeter) -> Int {
    limits[node] == .max ? .max : max(0, limits[node] - meter.totalBytes(node))
  }
}
