public import ModelSpec
public import Tensors

/// What it means to go from one placement to another: which node takes and gives up which pieces of weights, where
/// the taken ones can come from, and which layers change their host. Nodes are compared by name.
public struct PlacementChange: Sendable, Hashable {
  /// Where a node can get a piece that it has to take.
  ///
  /// What a worker has in its own store or in a GGUF file it was pointed at is unknown here; from there it moves nothing.
  public enum PieceOrigin: Sendable, Hashable {
    /// Nodes that hold it before the change, in the order of the placement before; at least one.
    case nodes([NodeID])
    /// No node holds it; the coordinator reads it from the model file.
    case coordinator
  }

  /// A piece that a node takes.
  public struct Gain: Sendable, Hashable {
    /// What is taken.
    public let piece: PieceID
    /// Bytes of memory it takes, about as many as move.
    public let bytes: Int
    /// Where it can come from.
    public let origin: PieceOrigin
  }

  /// What changes for one node.
  public struct NodeChange: Sendable, Hashable {
    /// The node.
    public let name: NodeID
    /// Ascending by piece.
    public let gains: [Gain]
    /// Ascending.
    public let givenUp: [PieceID]
    /// Bytes of the pieces that are given up.
    public let givenUpBytes: Int

    /// Bytes of the pieces that are taken: at most these move to this node.
    public var gainedBytes: Int { gains.reduce(0) { sum($0, $1.bytes) } }
  }

  /// Neighbouring layers that change their host together. Their KV cache moves, or is rebuilt from the tokens.
  public struct HostMove: Sendable, Hashable {
    /// The layers.
    public let layers: Range<LayerIndex>
    /// Their host before; nil when there was no placement.
    public let from: NodeID?
    /// Their host afterwards.
    public let to: NodeID
  }

  /// Experts of neighbouring layers that change their holders together.
  public struct ExpertMove: Sendable, Hashable {
    /// The layers.
    public let layers: Range<LayerIndex>
    /// In each of the layers.
    public let experts: ExpertSet
    /// Nodes that give them up; none when a replica is added or there was no placement.
    public let from: [NodeID]
    /// Nodes that take them; none when a replica is given up.
    public let to: [NodeID]
  }

  /// Nodes that take or give up something: those of the placement afterwards in its order, then those of the one before.
  public let nodes: [NodeChange]
  /// Nodes that only the placement afterwards names, in its order.
  public let added: [NodeID]
  /// Nodes that only the placement before names, in its order.
  public let removed: [NodeID]
  /// In layer order.
  public let hostMoves: [HostMove]
  /// In the order of layers, then of experts.
  public let expertMoves: [ExpertMove]
  /// Whether there was no placement before.
  let isFirst: Bool
  /// Layers of the stages afterwards.
  let stages: [Range<LayerIndex>]

  /// Compares two placements of one model.
  /// - Parameters:
  ///   - from: the placement before; nil when nobody holds anything yet.
  ///   - to: the placement afterwards.
  public init(from: Placement?, to: Placement, facts: ModelFacts, sizes: ModelSizes) {
    let before = from?.nodes ?? []
    let names = to.nodes + before.filter { to.index(of: $0) == nil }
    var holders: [PieceID: [NodeID]] = [:]
    for name in before {
      for piece in from?.pieces(of: name, facts: facts) ?? [] { holders[piece, default: []].append(name) }
    }
    nodes = names.compactMap { name in
      let old = from?.pieces(of: name, facts: facts) ?? []
      let new = to.pieces(of: name, facts: facts)
      let givenUp = old.subtracting(new).sorted()
      let gains = new.subtracting(old).sorted().map { piece in
        Gain(
          piece: piece, bytes: sizes.pieceBytes(piece),
          origin: holders[piece].map { .nodes($0) } ?? .coordinator)
      }
      guard !gains.isEmpty || !givenUp.isEmpty else { return nil }
      return NodeChange(
        name: name, gains: gains, givenUp: givenUp,
        givenUpBytes: givenUp.reduce(0) { sum($0, sizes.pieceBytes($1)) })
    }
    let known = Set(before)
    added = to.nodes.filter { !known.contains($0) }
    removed = before.filter { to.index(of: $0) == nil }
    let grids = (
      from: from.map { LayerGrid($0, nodes: names, facts: facts) }, to: LayerGrid(to, nodes: names, facts: facts)
    )
    hostMoves = Self.hostMoves(from: grids.from, to: grids.to)
    expertMoves = Self.expertMoves(from: grids.from, to: grids.to)
    isFirst = from == nil
    stages = to.stages.map(\.layers)
  }

  /// The changes of going through several placements, one after the other.
  public static func steps(
    from: Placement?, through waves: [Placement], facts: ModelFacts, sizes: ModelSizes
  ) -> [PlacementChange] {
    var before = from
    return waves.map { wave in
      defer { before = wave }
      return PlacementChange(from: before, to: wave, facts: facts, sizes: sizes)
    }
  }

  /// Whether nothing changes: no piece, no host, no node comes or goes.
  public var isEmpty: Bool { nodes.isEmpty && hostMoves.isEmpty && added.isEmpty && removed.isEmpty }

  /// Bytes of all pieces that are taken: at most these move.
  public var gainedBytes: Int { nodes.reduce(0) { sum($0, $1.gainedBytes) } }

  // MARK: - Moves

  private static func hostMoves(from: LayerGrid?, to: LayerGrid) -> [HostMove] {
    var moves: [HostMove] = []
    for layer in to.hosts.indices where from?.hosts[layer] != to.hosts[layer] {
      let layers = LayerIndex(layer)..<LayerIndex(layer + 1)
      let (old, new) = (from.map { $0.nodes[$0.hosts[layer]] }, to.nodes[to.hosts[layer]])
      if let last = moves.last, last.layers.upperBound == layers.lowerBound, last.from == old, last.to == new {
        moves[moves.count - 1] = HostMove(
          layers: last.layers.lowerBound..<layers.upperBound, from: old, to: new)
      } else {
        moves.append(HostMove(layers: layers, from: old, to: new))
      }
    }
    return moves
  }

  private struct Way: Hashable {
    let from: [Int]
    let to: [Int]
  }

  private static func expertMoves(from: LayerGrid?, to: LayerGrid) -> [ExpertMove] {
    var moves: [ExpertMove] = []
    /// Positions in `moves` of those that reach up to the layer before, by their way.
    var open: [Way: Int] = [:]
    for (layer, experts) in to.holders.enumerated() {
      var ways: [Way] = []
      var ranges: [Way: [Range<Int>]] = [:]
      for (expert, new) in experts.enumerated() {
        let old = from?.holders[layer][expert] ?? []
        guard old != new else { continue }
        let way = Way(from: old.filter { !new.contains($0) }, to: new.filter { !old.contains($0) })
        if ranges[way] == nil { ways.append(way) }
        ranges[way, default: []].append(expert..<expert + 1)
      }
      var reaching: [Way: Int] = [:]
      for way in ways {
        let set = ExpertSet(ranges: ranges[way] ?? [])
        let end = LayerIndex(layer + 1)
        if let index = open[way], moves[index].experts == set {
          let move = moves[index]
          moves[index] = ExpertMove(
            layers: move.layers.lowerBound..<end, experts: set, from: move.from, to: move.to)
          reaching[way] = index
        } else {
          reaching[way] = moves.count
          moves.append(
            ExpertMove(
              layers: LayerIndex(layer)..<end, experts: set, from: way.from.map { to.nodes[$0] },
              to: way.to.map { to.nodes[$0] }))
        }
      }
      open = reaching
    }
    return moves
  }
}
