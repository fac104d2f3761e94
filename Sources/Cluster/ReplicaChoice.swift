import Tensors

/// Chooses, within one exchange of a host with its expert nodes, which replica computes which row of which expert.
///
/// An expert that the host holds itself is computed there. Any other goes to the holder with the fewest rows so far
/// in this exchange; of equals, to the lowest index. A row that several experts of one node are to compute counts once
/// for each of them, as it is their work that is balanced. The choice changes who computes, never what comes out.
///
///     choice.begin()
///     for expert in chosenExperts { nodes.append(choice.choose(among: holders[expert])) }
public struct ReplicaChoice: Sendable {
  private let own: NodeIndex
  /// Rows given to each node in this exchange, `[nodeCount]`.
  private var rows: [Int]

  /// - Parameters:
  ///   - nodeCount: nodes of the placement.
  ///   - own: the host that chooses.
  public init(nodeCount: Int, own: NodeIndex) {
    precondition(own.rawValue >= 0 && own.rawValue < nodeCount, "the host is not a node of the placement")
    self.own = own
    rows = Array(repeating: 0, count: nodeCount)
  }

  /// Begins a new exchange: no node has any rows.
  public mutating func begin() {
    for node in rows.indices { rows[node] = 0 }
  }

  /// The node that computes one row of one expert; allocates nothing.
  /// - Parameter holders: the nodes with that expert, ascending; at least one.
  public mutating func choose(among holders: [NodeIndex]) -> NodeIndex {
    precondition(!holders.isEmpty, "an expert without a holder")
    var best = holders[0]
    for holder in holders {
      if holder == own {
        best = own
        break
      }
      if rows[holder.rawValue] < rows[best.rawValue] { best = holder }
    }
    rows[best.rawValue] += 1
    return best
  }

  /// Rows given to a node since `begin()`.
  public func rowCount(of node: NodeIndex) -> Int { rows[node.rawValue] }
}
