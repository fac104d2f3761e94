import Tensors

/// Chooses, within one exchange of a host with its expert nodes, which replica computes which row of which expert.
///
/// A row goes to the holder that would be done first with everything it was given in this exchange, by the times measured
/// of late (`measured`); the host itself is one of the holders, measured likewise. A node that nothing is known of
/// counts as the average of the others. Of equals, the host comes first, then the lowest index: as long as nothing is
/// measured, the holder with the fewest rows. A row that several experts of one node are to compute counts once for each
/// of them, as it is their work that is balanced. The choice changes who computes, never what comes out.
///
///     choice.begin()
///     for expert in chosenExperts { nodes.append(choice.choose(among: holders[expert])) }
public struct ReplicaChoice: Sendable {
  private let own: NodeIndex
  /// Rows given to each node in this exchange, `[nodeCount]`.
  private var rows: [Int]
  /// What is known of each node, `[nodeCount]`.
  private var speeds: [NodeSpeed]
  /// Nodes that get nothing more, `[nodeCount]`.
  private var isExcluded: [Bool]
  /// Averages over the nodes that were measured; a row a second as long as there is none.
  private var averageFixedSeconds = 0.0
  private var averageRowSeconds = 1.0

  /// - Parameters:
  ///   - nodeCount: nodes of the placement.
  ///   - own: the host that chooses.
  public init(nodeCount: Int, own: NodeIndex) {
    precondition(own.rawValue >= 0 && own.rawValue < nodeCount, "the host is not a node of the placement")
    self.own = own
    rows = Array(repeating: 0, count: nodeCount)
    speeds = Array(repeating: NodeSpeed(), count: nodeCount)
    isExcluded = Array(repeating: false, count: nodeCount)
  }

  /// Begins a new exchange: no node has any rows.
  public mutating func begin() {
    for node in rows.indices { rows[node] = 0 }
  }

  /// Takes note of how long a node took for its part of an exchange.
  /// - Parameters:
  ///   - node: a node of the placement, or the host itself.
  ///   - rows: rows it was given, those of several experts counted for each.
  ///   - time: from sending to its answer; for the host, of computing. Without rows, or negative, it is ignored.
  public mutating func measured(node: NodeIndex, rows: Int, time: Duration) {
    let (seconds, attoseconds) = time.components
    speeds[node.rawValue].observe(rows: rows, seconds: Double(seconds) + Double(attoseconds) * 1e-18)
    var (count, fixed, row) = (0.0, 0.0, 0.0)
    for speed in speeds where speed.sampleCount > 0 {
      count += 1
      fixed += speed.fixedSeconds
      row += speed.rowSeconds
    }
    guard count > 0 else { return }
    averageFixedSeconds = fixed / count
    averageRowSeconds = row / count
  }

  /// A node that is lost gets no rows any more.
  public mutating func exclude(_ node: NodeIndex) { isExcluded[node.rawValue] = true }

  /// The node that computes one row of one expert; allocates nothing.
  /// - Parameter holders: the nodes with that expert, ascending; at least one. When all of them are excluded, the first.
  public mutating func choose(among holders: [NodeIndex]) -> NodeIndex {
    precondition(!holders.isEmpty, "an expert without a holder")
    if let node = choose(among: holders, except: nil) { return node }
    rows[holders[0].rawValue] += 1
    return holders[0]
  }

  /// The node that computes one row of one expert, for instance when another is late; allocates nothing.
  /// - Parameters:
  ///   - holders: the nodes with that expert, ascending.
  ///   - other: a node that is not to be chosen.
  /// - Returns: nil when no holder is left.
  public mutating func choose(among holders: [NodeIndex], except other: NodeIndex?) -> NodeIndex? {
    var best: NodeIndex?
    var bestTime = Double.infinity
    for holder in holders where holder != other && !isExcluded[holder.rawValue] {
      let time = secondsWithOneMore(holder.rawValue)
      if best == nil || time < bestTime || (time == bestTime && holder == own) { (best, bestTime) = (holder, time) }
    }
    if let best { rows[best.rawValue] += 1 }
    return best
  }

  /// Rows given to a node since `begin()`.
  public func rowCount(of node: NodeIndex) -> Int { rows[node.rawValue] }

  /// When a node would be done, counted from the beginning of the exchange.
  private func secondsWithOneMore(_ node: Int) -> Double {
    let isMeasured = speeds[node].sampleCount > 0
    let fixed = isMeasured ? speeds[node].fixedSeconds : averageFixedSeconds
    let row = isMeasured ? speeds[node].rowSeconds : averageRowSeconds
    return fixed + Double(rows[node] + 1) * row
  }
}
