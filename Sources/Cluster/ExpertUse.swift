public import Tensors

/// How often each expert of each layer was chosen of late.
///
/// Hosts report, for each layer, how often each expert was chosen since they started; what counts is the difference to
/// the report before. Every so many choices of a layer (`halfLife`), all that was counted of it before counts half: the
/// use is that of the latest tokens, whether they come fast or slowly. Memory is bounded: of each layer the totals of
/// the last few nodes are kept, and of each expert one number.
public struct ExpertUse: Sendable {
  /// Most nodes of a layer whose totals are remembered; it has one host at a time. The totals of one that reports again
  /// after it was forgotten count anew.
  public static let reporterCountMax = 4

  private struct Report: Sendable {
    let node: NodeID
    let totals: [UInt64]
  }

  private struct Layer: Sendable {
    /// Decayed choices of each expert.
    var counts: [Double]
    var choicesSinceHalving = 0.0
    /// The last one at the end.
    var reports: [Report] = []
  }

  /// Choices of a layer (tokens times experts a token) after which the older ones count half.
  public let halfLife: Int
  private var layers: [Layer]

  /// Nothing counted.
  /// - Parameter halfLife: choices of a layer after which the older ones count half; at least 1.
  public init(_ facts: ModelFacts, halfLife: Int = 1 << 18) {
    self.halfLife = max(1, halfLife)
    layers = facts.expertCounts.map { Layer(counts: Array(repeating: 0, count: $0)) }
  }

  /// Takes note of what a node has counted of a layer since it started.
  ///
  /// A total below that of its last report means that the node has started anew, and everything counts. Totals of a layer
  /// that does not exist, or of another number of experts than it has, are ignored.
  public mutating func add(layer: LayerIndex, counts totals: [UInt64], node: NodeID) {
    guard layers.indices.contains(layer.rawValue) else { return }
    var entry = layers[layer.rawValue]
    guard totals.count == entry.counts.count, !totals.isEmpty else { return }
    var before: [UInt64]?
    if let index = entry.reports.firstIndex(where: { $0.node == node }) {
      before = entry.reports.remove(at: index).totals
    }
    if entry.reports.count >= Self.reporterCountMax { entry.reports.removeFirst() }
    entry.reports.append(Report(node: node, totals: totals))
    if let last = before, zip(last, totals).contains(where: { $0 > $1 }) { before = nil }
    let added = totals.indices.map { Double(totals[$0] - (before?[$0] ?? 0)) }
    entry.choicesSinceHalving += added.reduce(0, +)
    // After 64 halvings nothing is left of what was.
    var halvings = 0
    while entry.choicesSinceHalving >= Double(halfLife), halvings < 64 {
      entry.choicesSinceHalving -= Double(halfLife)
      halvings += 1
    }
    if halvings == 64 { entry.choicesSinceHalving = 0 }
    let factor = halvings == 64 ? 0 : 1 / Double(UInt64(1) << UInt64(halvings))
    for expert in added.indices { entry.counts[expert] = entry.counts[expert] * factor + added[expert] }
    layers[layer.rawValue] = entry
  }

  /// Lets all that was counted count for less, for instance when another kind of work begins.
  /// - Parameter factor: from 0 (forget) to 1 (no change); what lies beyond counts as the nearer end.
  public mutating func decay(by factor: Double) {
    let factor = factor.isNaN ? 1 : min(1, max(0, factor))
    for layer in layers.indices {
      for expert in layers[layer].counts.indices { layers[layer].counts[expert] *= factor }
    }
  }

  /// The share of a layer's choices that fell on an expert; the same for all experts of a layer of which nothing was
  /// counted. 0 for an expert that does not exist.
  public func share(of expert: ExpertIndex, layer: LayerIndex) -> Double {
    guard layers.indices.contains(layer.rawValue) else { return 0 }
    let counts = layers[layer.rawValue].counts
    guard counts.indices.contains(expert.rawValue) else { return 0 }
    let total = counts.reduce(0, +)
    return total > 0 ? counts[expert.rawValue] / total : 1 / Double(counts.count)
  }

  /// The shares of all experts of a layer; see `share(of:layer:)`. None for a layer without experts.
  public func shares(_ layer: LayerIndex) -> [Double] {
    guard layers.indices.contains(layer.rawValue) else { return [] }
    let counts = layers[layer.rawValue].counts
    let total = counts.reduce(0, +)
    return counts.map { total > 0 ? $0 / total : 1 / Double(counts.count) }
  }

  /// Choices of a layer that are counted, older ones for less.
  public func choiceCount(_ layer: LayerIndex) -> Double {
    layers.indices.contains(layer.rawValue) ? layers[layer.rawValue].counts.reduce(0, +) : 0
  }
}
