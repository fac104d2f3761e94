import Cluster
import Engine
import ModelSpec
import Scheduling
import Tensors
import Transport
import Wire

/// Whether an order fits its model and this node, asked before any weights are loaded: what passes can be run without
/// meeting a limit.
struct ShareCheck: Sendable {
  let order: Prepare
  /// Compute threads of the node.
  let threads: Int
  /// Most bytes of weights, KV cache and scratch; nil for no limit.
  let limit: Int?

  /// - Throws: `WorkerError`, or `TransportError` for an address that is none.
  func callAsFunction(_ spec: ModelSpec) throws {
    let placement = order.placement
    let facts = ModelFacts(spec)
    if let problem = placement.problem(for: facts) {
      throw WorkerError(.badShare, "the placement does not fit the model: \(problem)")
    }
    let named = Set(order.pieces.map(\.piece))
    if let missing = placement.pieces(for: order.node, facts: facts).first(where: { !named.contains($0) }) {
      throw WorkerError(.badShare, "the placement gives this node the \(missing), which is not among its pieces")
    }
    try checkPieces(spec)
    _ = try order.dataPeers()
    try checkFrames(spec.hyperparameters)
    try checkMemory(spec)
  }

  /// Each piece once and of the size the model says, so that sums of sizes are those of the model's files.
  private func checkPieces(_ spec: ModelSpec) throws(WorkerError) {
    var seen: Set<PieceID> = []
    for piece in order.pieces {
      guard seen.insert(piece.piece).inserted else {
        throw WorkerError(.badShare, "the \(piece.piece) is named twice")
      }
      guard let layout = spec.layout(of: piece.piece), layout.byteCount == piece.byteCount else {
        throw WorkerError(.badShare, "the model has no \(piece.piece) of \(piece.byteCount) bytes")
      }
    }
  }

  /// Frames between workers have a limit, so passes do.
  private func checkFrames(_ model: Hyperparameters) throws(WorkerError) {
    // A row is a whole entry at the most, with an opening.
    let entryBytes = 4 * SamplingParameters.penaltyWindowMax + 256
    let rowBytes = 8 * model.hiddenSize + 6 * model.expertsPerToken + entryBytes
    let limit = FrameType.handOver.payloadLimit - (1 << 20)
    guard order.subBatchRows <= limit / rowBytes else {
      throw WorkerError(
        .badShare,
        "passes of \(order.subBatchRows) rows of \(model.hiddenSize) elements do not fit a frame; at most "
          + "\(limit / rowBytes) do")
    }
  }

  private func checkMemory(_ spec: ModelSpec) throws(WorkerError) {
    guard let limit else { return }
    let configuration = EngineConfiguration(order, spec: spec)
    let weights = order.pieces.reduce(0) { $0 + (spec.layout(of: $1.piece)?.memoryBytes ?? 0) }
    let cache = configuration.keyValueBytes
    let scratch = configuration.scratchBytes(threads: threads)
    let (part, isOver) = (weights + scratch).addingReportingOverflow(cache)
    guard isOver || part > limit else { return }
    throw WorkerError(
      .badShare,
      "the share needs \(isOver ? "too many" : "\(part)") bytes (weights \(weights), KV cache \(cache) for "
        + "\(order.sequences) x \(order.context) positions, scratch \(scratch)); this node may use \(limit). Give it "
        + "fewer layers or experts, lower context or sequences, or raise its memory")
  }
}

extension EngineConfiguration {
  /// What an order asks of the engine of its receiver.
  init(_ order: Prepare, spec: ModelSpec) {
    let stages = order.placement.stages
    let hosted = order.placement.stages(hostedBy: order.node).map {
      HostedStage(index: $0, layers: stages[$0].layers, isLast: $0 == stages.count - 1)
    }
    self.init(
      spec: spec, stages: hosted, kvType: order.kvType, combine: order.combine, context: order.context,
      sequences: order.sequences, rowCapacity: order.subBatchRows)
  }
}

extension Prepare {
  /// The nodes that the receiver exchanges frames with, also those that keys and values go to or come from.
  func dataPeers() throws -> [DataPeer] {
    var indices = Set(placement.peers(of: node))
    for move in moves { indices.formUnion([move.source, move.target]) }
    indices.remove(node)
    return try indices.sorted().map { peer in
      let address = try HostPort(parsing: addresses[peer.rawValue])
      return DataPeer(index: peer, id: placement.nodes[peer.rawValue], address: address)
    }
  }
}
