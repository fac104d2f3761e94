import Tensors

/// Balances the experts of one stage after the other over nodes of given speeds, within their memory.
struct LoadBalance {
  /// Part of the highest load that a change must save, so that few experts move.
  private static let gainMin = 0.02

  /// An expert that leaves the most loaded node, and perhaps one that comes for it.
  private struct Change {
    let expert: Int
    let node: Int
    let partner: Int?
    /// The higher load of the two nodes afterwards.
    let peak: Double
  }

  private let terms: MemoryTerms
  private let speeds: [Double]
  private let limits: [Int]
  /// Of weights, as given out so far.
  private var weightBytes: [Int]
  private let keyValueBytes: [Int]
  /// What a node does besides holding experts.
  private let hostRole: [MemoryTerms.Role]
  /// Experts, those of a stage counted once, as given out so far.
  private var expertCounts: [Int]
  /// Load of each node over all stages, as given out so far.
  private var totalLoads: [Double]

  /// - Parameters:
  ///   - placement: as it is before.
  ///   - speeds: of each node, positive.
  ///   - limits: most bytes of each node.
  ///   - totalLoads: of each node over all stages of `placement`.
  init(terms: MemoryTerms, placement: Placement, speeds: [Double], limits: [Int], totalLoads: [Double]) {
    self.terms = terms
    self.speeds = speeds
    self.limits = limits
    self.totalLoads = totalLoads
    let grid = LayerGrid(placement, nodes: placement.nodes, facts: terms.facts)
    let meter = MemoryMeter(terms, grid)
    weightBytes = meter.nodes.map(\.weightBytes)
    keyValueBytes = meter.nodes.map(\.keyValueBytes)
    hostRole = meter.nodes.map { $0.role >= .host ? $0.role : .spare }
    expertCounts = placement.nodes.indices.map { node in
      placement.stages.reduce(0) { $0 + $1.experts(of: NodeIndex(node)).count }
    }
  }

  /// Rows that a node computes for a token. The rows of an expert are shared by its holders in proportion to speed.
  static func rows(of node: Int, _ holders: [[Int]], _ uses: [Double], speeds: [Double]) -> Double {
    holders.indices.reduce(0) { sum, expert in
      guard holders[expert].contains(node) else { return sum }
      return sum + uses[expert] * speeds[node] / holders[expert].reduce(0) { $0 + speeds[$1] }
    }
  }

  /// The holders of each expert of a stage after balancing, and takes note of the memory.
  /// - Parameters:
  ///   - holders: of each expert, before.
  ///   - uses: rows of each expert for a token.
  mutating func balance(_ holders: [[Int]], uses: [Double], layers: Range<LayerIndex>) -> [[Int]] {
    var holders = holders
    let bytes = uses.indices.map { expert in
      layers.reduce(0) { total, layer in
        let all = terms.expertBytes[layer.rawValue]
        return expert < all.count ? sum(total, all[expert]) : total
      }
    }
    var loads = speeds.indices.map { Self.rows(of: $0, holders, uses, speeds: speeds) / speeds[$0] }
    // Each change brings the highest load down; the bound is for very many experts.
    for _ in 0..<4 * max(1, holders.count) {
      guard let top = loads.indices.max(by: { (loads[$0], $1) < (loads[$1], $0) }),
        let change = best(top, loads, holders, uses, bytes)
      else { break }
      let more = uses[change.expert] - (change.partner.map { uses[$0] } ?? 0)
      for (node, difference) in [(top, -more), (change.node, more)] {
        loads[node] += difference / speeds[node]
        totalLoads[node] += difference / speeds[node]
      }
      move(change.expert, from: top, to: change.node, bytes, &holders)
      if let partner = change.partner { move(partner, from: change.node, to: top, bytes, &holders) }
    }
    return holders
  }

  private mutating func move(_ expert: Int, from: Int, to: Int, _ bytes: [Int], _ holders: inout [[Int]]) {
    holders[expert] = [to]
    expertCounts[from] -= 1
    expertCounts[to] += 1
    weightBytes[from] -= bytes[expert]
    weightBytes[to] = sum(weightBytes[to], bytes[expert])
  }

  /// The change that brings down the load of the most loaded node most; a mere move is preferred to one in which two
  /// experts change places.
  private func best(
    _ top: Int, _ loads: [Double], _ holders: [[Int]], _ uses: [Double], _ bytes: [Int]
  ) -> Change? {
    let step = Self.gainMin * loads[top]
    // What helps one stage must not make the node that has most to do in all of them do more.
    let totalMax = totalLoads.max() ?? 0
    var best: Change?
    func offer(_ change: Change) {
      if change.peak < best?.peak ?? (loads[top] - step) { best = change }
    }
    let movable = holders.indices.filter { holders[$0] == [top] && uses[$0] > 0 }
    for expert in movable {
      for node in loads.indices where node != top && fits(node, adding: 1, bytes[expert]) {
        guard totalLoads[node] + uses[expert] / speeds[node] <= totalMax else { continue }
        let peak = max(loads[top] - uses[expert] / speeds[top], loads[node] + uses[expert] / speeds[node])
        offer(Change(expert: expert, node: node, partner: nil, peak: peak))
      }
    }
    let bound = (best?.peak ?? loads[top]) - step
    var swapped: Change?
    for expert in movable {
      for partner in holders.indices where holders[partner].count == 1 && uses[partner] < uses[expert] {
        let (node, more) = (holders[partner][0], uses[expert] - uses[partner])
        guard node != top, totalLoads[node] + more / speeds[node] <= totalMax,
          fits(node, adding: 0, bytes[expert] - bytes[partner]),
          fits(top, adding: 0, bytes[partner] - bytes[expert])
        else { continue }
        let peak = max(loads[top] - more / speeds[top], loads[node] + more / speeds[node])
        if peak < swapped?.peak ?? bound { swapped = Change(expert: expert, node: node, partner: partner, peak: peak) }
      }
    }
    return swapped ?? best
  }

  /// Whether a node keeps its limit with so many experts and bytes more, or has no more than before.
  private func fits(_ node: Int, adding count: Int, _ bytes: Int) -> Bool {
    guard bytes > 0 || count > 0 else { return true }
    let role = max(hostRole[node], expertCounts[node] + count > 0 ? .experts : .spare)
    return sum(weightBytes[node], bytes, keyValueBytes[node], terms.scratchBytes(role)) <= limits[node]
  }
}
