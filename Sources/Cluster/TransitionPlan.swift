public import Tensors

/// How to get from one placement to another without any node holding more than it may.
///
/// While one placement gives way to the next, a node holds what both give it: the pieces of either, the KV cache of
/// every layer it hosts in either, and the larger scratch (`MemoryPlan` says how much these are). If that is too much,
/// the change is made in waves, each a whole prepare, switch and release. A piece only ever moves to nodes that hold it
/// in the end; an expert leaves its old holders in the wave that gives it to a final one, the trunk and KV cache of a
/// layer leave with its host. A node that holds more than its limit before the change (since the limit was lowered)
/// may go on holding as much, but no more, until it has given up enough.
public enum TransitionPlan {
  /// Most waves of one change; a change that takes more is refused.
  public static let waveCountMax = 4096

  /// The placements to go through, the last being `to`; just that one when everything fits at once.
  ///
  /// Those between list the nodes of `to`, then the ones of `from` that are not among them, and have the epoch of
  /// `to`. Several orders of moving are tried, always the same ones; the one with the fewest waves is taken.
  /// - Parameters:
  ///   - from: what is held now; nil for nothing. Must fit the model, like `to` (`Placement.problem(for:)`).
  ///   - to: what is to be held.
  ///   - limits: most bytes of a node (weights, KV cache and scratch together); no limit for a node that is not there.
  ///   - context: positions of the longest sequence.
  ///   - sequences: sequences with a KV cache at a time.
  ///   - rows: most rows of one pass through the layers.
  /// - Throws: `to` alone is too much for a node, or no order was found in which each wave fits; with the node that
  ///   lacks least for the next thing to move.
  public static func waves(
    from: Placement?, to: Placement, facts: ModelFacts, sizes: ModelSizes, limits: [NodeID: Int], context: Int,
    sequences: Int, rows: Int
  ) throws(TransitionError) -> [Placement] {
    let terms = MemoryTerms(facts: facts, sizes: sizes, context: context, sequences: sequences, rows: rows)
    let nodes = to.nodes + (from?.nodes ?? []).filter { to.index(of: $0) == nil }
    let goal = LayerGrid(to, nodes: nodes, facts: facts)
    let search = TransitionSearch(
      terms: terms, start: from.map { LayerGrid($0, nodes: nodes, facts: facts) }, goal: goal,
      limits: nodes.map { max(0, limits[$0] ?? .max) })
    try search.checkGoal()
    guard let start = search.start, !search.fitsAtOnce(start) else { return [to] }
    let boundaries = Set((to.stages + (from?.stages ?? [])).map(\.layers.lowerBound))
    return try search.fewestWaves(start).map { $0.placement(epoch: to.epoch, boundaries: boundaries) } + [to]
  }
}
