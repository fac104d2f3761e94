import Tensors

/// Gives out the experts that have no holder, once every layer has its host.
struct RecoveryDealer {
  private let search: RecoverySearch
  private let cluster: RecoverySearch.Cluster
  private let hosts: [Int]
  private var meter: MemoryMeter
  private var holders: [[[Int]]]
  /// Why it cannot be done.
  private(set) var failure: String?

  /// - Parameter hosts: of each layer.
  init(_ search: RecoverySearch, hosts: [Int]) {
    self.search = search
    cluster = search.cluster
    self.hosts = hosts
    meter = MemoryMeter(cluster.terms, nodeCount: cluster.desired.nodes.count)
    holders = []
  }

  /// Every expert on a usable node that reaches its host; nil when there is no room.
  mutating func deal() -> LayerGrid? {
    for (layer, host) in hosts.enumerated() { meter.addHost(of: layer, host) }
    holders = cluster.desired.holders.indices.map { layer in
      cluster.desired.holders[layer].indices.map { expert in
        search.kept(expert, of: layer).filter { reaches($0, layer) }
      }
    }
    for layer in holders.indices {
      for expert in holders[layer].indices {
        for node in holders[layer][expert] { meter.addExpert(expert, of: layer, node) }
      }
    }
    let nodes = cluster.desired.nodes
    if let full = nodes.indices.first(where: {
      meter.nodes[$0].role > .spare && meter.totalBytes($0) > cluster.limits[$0]
    }) {
      let (total, limit) = (ByteCountText.describe(meter.totalBytes(full)), cluster.limits[full])
      failure = "\(nodes[full]) would hold \(total), but may hold \(ByteCountText.describe(limit))"
      return nil
    }
    for stage in parts() {
      let count = stage.map { holders[$0].count }.max() ?? 0
      for expert in 0..<count {
        let layers = stage.filter { expert < holders[$0].count && holders[$0][expert].isEmpty }
        guard !layers.isEmpty, !give(expert, layers) else { continue }
        // Not all of them on one node: then one by one.
        for layer in layers where !give(expert, [layer]) {
          failure = describe(expert, layers, host: hosts[layer])
          return nil
        }
      }
    }
    return LayerGrid(nodes: cluster.desired.nodes, facts: cluster.terms.facts, hosts: hosts, holders: holders)
  }

  /// Layers of one stage with one host, whose experts had better stay together.
  private func parts() -> [[Int]] {
    var parts: [[Int]] = []
    for stage in cluster.stages {
      for layer in stage {
        if layer > stage.lowerBound, hosts[layer] == hosts[layer - 1] {
          parts[parts.count - 1].append(layer)
        } else {
          parts.append([layer])
        }
      }
    }
    return parts
  }

  private func reaches(_ node: Int, _ layer: Int) -> Bool { !cluster.apart[node].contains(hosts[layer]) }

  /// Gives an expert of some layers with one host to the best node; false when none has room.
  private mutating func give(_ expert: Int, _ layers: [Int]) -> Bool {
    var held = Array(repeating: (current: 0, desired: 0), count: search.isUsable.count)
    for layer in layers {
      for node in cluster.current?.holders[layer][expert] ?? [] { held[node].current += 1 }
      for node in cluster.desired.holders[layer][expert] { held[node].desired += 1 }
    }
    var best: (node: Int, share: MemoryMeter.Node)?
    var bestKey: (Int, Int, Int, Int) = (0, 0, 0, 0)
    for node in search.isUsable.indices where search.isUsable[node] && reaches(node, layers[0]) {
      let before = meter.nodes[node]
      let key = (-held[node].current, -held[node].desired, -cluster.free(node, meter), meter.totalBytes(node))
      for layer in layers { meter.addExpert(expert, of: layer, node) }
      let after = meter.nodes[node]
      let fits = meter.totalBytes(node) <= cluster.limits[node]
      meter.nodes[node] = before
      if fits, best == nil || key < bestKey { (best, bestKey) = ((node, after), key) }
    }
    guard let best else { return false }
    meter.nodes[best.node] = best.share
    for layer in layers { holders[layer][expert] = [best.node] }
    return true
  }

  private func describe(_ expert: Int, _ layers: [Int], host: Int) -> String {
    let set = ExpertSet(ranges: layers.map { $0..<$0 + 1 })
    let what = "expert \(expert) of \(PieceListText.layers(set))"
    let able = search.isUsable.indices.filter { search.isUsable[$0] && !cluster.apart[$0].contains(host) }
    guard let most = able.max(by: { (cluster.free($0, meter), $1) < (cluster.free($1, meter), $0) }) else {
      return "no node that reaches \(cluster.desired.nodes[host]) is left for \(what)"
    }
    let needed = layers.reduce(0) { sum($0, cluster.terms.expertBytes[$1][expert]) }
    return "no node has room for \(what): \(ByteCountText.describe(needed)) are needed, "
      + "\(cluster.desired.nodes[most]) has \(ByteCountText.describe(cluster.free(most, meter))) left"
  }
}
