import ModelSpec
import Tensors

/// What a placement takes of each node's memory.
public struct MemoryPlan: Sendable, Hashable {
  /// The bytes of one node.
  public struct Share: Sendable, Hashable {
    /// Its pieces of weights.
    public let weightBytes: Int
    /// Its KV cache when full: for each hosted layer `sequences` times the blocks of 64 positions that `context`
    /// takes.
    public let keyValueBytes: Int
    /// An estimate of everything else; see `MemoryPlan`.
    public let scratchBytes: Int

    /// Everything together; `Int.max` when it passes 64 bits.
    public var totalBytes: Int { sum(weightBytes, keyValueBytes, scratchBytes) }
  }

  /// Bytes of a process that holds nothing: code, run time, buffers of connections.
  public static let processBytes = 16 << 20

  /// In the order of `Placement.nodes`.
  public let shares: [Share]
  /// Positions of the longest sequence.
  public let context: Int
  /// Sequences with a KV cache at a time.
  public let sequences: Int

  /// Adds up what a placement needs.
  ///
  /// The scratch of a node is estimated, with R rows in a pass, hidden size H, query width Q, expert width W, host
  /// width F, k experts a token and a vocabulary of V, as 16 MiB, plus for a node that takes part
  /// R (32 H + k (2 H + 10 W)) (residual rows, activations, grid sums of two exchanges, and for each chosen expert its
  /// gathered input and inner activations), plus for a host R (16 H + 16 Q + 16 F) (norms, projections, attention, dense
  /// and shared feed-forward blocks), plus for the last host 4 V for each sequence (logits).
  /// - Parameter rows: most rows of one pass through the layers.
  public init(placement: Placement, facts: ModelFacts, sizes: ModelSizes, context: Int, sequences: Int, rows: Int) {
    self.context = context
    self.sequences = sequences
    let participants = Set(placement.participants)
    shares = placement.nodes.indices.map { index in
      let node = NodeIndex(index)
      let pieces = placement.pieces(for: node, facts: facts)
      return Share(
        weightBytes: pieces.reduce(0) { sum($0, sizes.pieceBytes($1)) },
        keyValueBytes: Self.keyValueBytes(
          of: node, in: placement, sizes: sizes, context: context, sequences: sequences),
        scratchBytes: Self.scratchBytes(
          sizes, rows: rows, sequences: sequences, takesPart: participants.contains(node),
          isHost: placement.stages.contains { $0.host == node }, isLast: placement.lastHost == node))
    }
  }

  /// Checks the topology's memory limits.
  /// - Throws: the first node, in file order, that is to hold more than its `memory`, at the line of that key.
  public func check(_ topology: Topology) throws(TopologyError) {
    for (node, share) in zip(topology.nodes, shares) {
      guard let limit = node.memoryBytes, share.totalBytes > limit.value else { continue }
      throw topology.error(
        .memory, at: limit.position,
        "node \"\(node.name.value)\" needs \(ByteCountText.describe(share.totalBytes)) (\(describe(share))), "
          + "but its \"memory\" allows \(ByteCountText.describe(limit.value)); \(remedy(share)), or raise \"memory\"")
    }
  }

  private func describe(_ share: Share) -> String {
    let cache =
      share.keyValueBytes == 0
      ? "" : ", KV cache \(ByteCountText.describe(share.keyValueBytes)) for \(sequences) x \(context) positions"
    return "weights \(ByteCountText.describe(share.weightBytes))\(cache), "
      + "scratch about \(ByteCountText.describe(share.scratchBytes))"
  }

  private func remedy(_ share: Share) -> String {
    share.keyValueBytes > share.weightBytes
      ? "lower \"context\" or \"sequences\"" : "give it fewer experts or layers"
  }

  private static func keyValueBytes(
    of node: NodeIndex, in placement: Placement, sizes: ModelSizes, context: Int, sequences: Int
  ) -> Int {
    placement.stages.filter { $0.host == node }.flatMap { Array($0.layers) }.reduce(0) {
      sum($0, keyValueBytes(of: $1, sizes: sizes, context: context, sequences: sequences))
    }
  }

  /// The KV cache of one layer when full.
  static func keyValueBytes(of layer: LayerIndex, sizes: ModelSizes, context: Int, sequences: Int) -> Int {
    let blocks = context / KVType.blockPositions + (context % KVType.blockPositions == 0 ? 0 : 1)
    return product(blocks, KVType.blockPositions, sequences, sizes.keyValueBytes(layer))
  }

  /// The estimate for a node with a part; the last host is a host, and a host takes part.
  static func scratchBytes(
    _ sizes: ModelSizes, rows: Int, sequences: Int, takesPart: Bool, isHost: Bool, isLast: Bool
  ) -> Int {
    guard takesPart else { return processBytes }
    let (hidden, width) = (sizes.hiddenSize, sizes.expertWidth)
    let chosen = product(sizes.expertsPerToken, sum(product(2, hidden), product(10, width)))
    let hosting = isHost ? product(16, sum(hidden, sizes.queryWidth, sizes.hostWidth)) : 0
    let logits = isLast ? product(4, sizes.vocabularySize, sequences) : 0
    return sum(processBytes, product(rows, sum(product(32, hidden), chosen, hosting)), logits)
  }
}
