public import ModelSpec
import Tensors

extension Placement {
  /// The pieces of weights that a node holds, ascending: the embedding for the first host, the trunk of each hosted
  /// layer, the node's experts of each layer that has them, the output for the last host, and for that host the
  /// embedding too when the output projection is the embedding matrix. Headers are every node's and not listed.
  public func pieces(for node: NodeIndex, facts: ModelFacts) -> [PieceID] {
    var pieces: [PieceID] = []
    if firstHost == node || (lastHost == node && facts.outputUsesEmbedding) { pieces.append(.embedding) }
    for stage in stages where stage.host == node { pieces += stage.layers.map { .trunk($0) } }
    for stage in stages {
      let held = stage.experts(of: node)
      for layer in stage.layers {
        let existing = held.intersection(ExpertSet(all: facts.expertCount(layer)))
        pieces += existing.members.map { .expert(layer, $0) }
      }
    }
    if lastHost == node { pieces.append(.output) }
    return pieces
  }

  /// The pieces of weights that a node holds, ascending; see `pieces(for:facts:)`.
  public func pieces(for node: NodeIndex, spec: ModelSpec) -> [PieceID] {
    pieces(for: node, facts: ModelFacts(spec))
  }
}
