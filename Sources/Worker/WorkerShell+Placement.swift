import Cluster
import Engine
import Logging
import ModelGraph
import ModelSpec
import ShardStore
import Tensors
import Transport
import Wire

extension WorkerShell {
  /// Begins to load this node's share of a placement; what is running goes on.
  func prepare(_ order: Prepare) {
    logger.info(
      "preparing", metadata: ["epoch": "\(order.placement.epoch)", "pieces": "\(order.pieces.count)"])
    if let heldModel, heldModel != order.model {
      guard running == nil else {
        let sentence = "this worker runs model \(heldModel); a change to model \(order.model) needs a new coordinator"
        return send(.prepareFailed(PrepareFailed(epoch: order.placement.epoch, sentence: sentence)))
      }
      releaseUnused(keeping: [])
    }
    preparing = Preparation(order: order)
    let request = ShareRequest(
      epoch: order.placement.epoch,
      header: PieceEntry(id: .header, byteCount: order.headerByteCount, digest: order.headerDigest),
      pieces: order.pieces.map { PieceEntry(id: $0.piece, byteCount: $0.byteCount, digest: $0.digest) })
    loader.load(request, held: held) { [mailbox] event in _ = mailbox.post(.share(event)) }
  }

  func handle(_ event: ShareEvent) {
    switch event {
    case .progress(let epoch, let progress):
      guard preparing?.epoch == epoch else { return }
      send(
        .progress(
          Progress(
            epoch: epoch, piecesDone: progress.piecesDone, piecesTotal: progress.piecesTotal,
            bytesDone: progress.bytesDone, bytesTotal: progress.bytesTotal, bytesMoved: progress.bytesMoved)))
    case .failed(let epoch, let sentence):
      guard preparing?.epoch == epoch else { return }
      preparing = nil
      send(.prepareFailed(PrepareFailed(epoch: epoch, sentence: sentence)))
    case .loaded(let share): loaded(share)
    }
  }

  private func loaded(_ share: LoadedShare) {
    // Also a share that came too late stays in memory, for the next placement that wants its pieces.
    for (id, piece) in share.pieces {
      if let old = held[id], old.piece.slot.base != piece.piece.slot.base { retired.append(old.piece) }
      held[id] = piece
    }
    guard var current = preparing, current.epoch == share.epoch else { return }
    current.share = share
    preparing = current
    heldModel = current.order.model
    send(.prepared(Prepared(epoch: share.epoch, bytesMoved: share.bytesMoved)))
  }

  /// Switches to a prepared placement; acknowledged once the connections to the peers it needs are up.
  func activate(_ epoch: PlacementEpoch) {
    guard let ready = preparing, ready.epoch == epoch, let share = ready.share else {
      send(.prepareFailed(PrepareFailed(epoch: epoch, sentence: "this worker has not prepared placement \(epoch)")))
      return
    }
    do {
      running = try start(ready.order, share)
    } catch {
      send(.prepareFailed(PrepareFailed(epoch: epoch, sentence: "\(error)")))
      return
    }
    preparing = nil
    releaseUnused(keeping: Set(share.pieces.keys))
    acknowledgeIfConnected()
  }

  private func start(_ order: Prepare, _ share: LoadedShare) throws -> Running {
    guard let session else { throw WorkerError(.protocolViolation, "there is no coordinator") }
    let placement = order.placement
    try check(placement, share)
    let shard = Shard(spec: share.spec)
    for piece in share.pieces.values { shard.insert(piece.piece) }
    let stages = placement.stages.indices.filter { placement.stages[$0].host == order.node }.map {
      EngineConfiguration.HostedStage(
        index: $0, layers: placement.stages[$0].layers, isLast: $0 == placement.stages.count - 1)
    }
    let engine = Engine(
      EngineConfiguration(
        spec: share.spec, stages: stages, kvType: order.kvType, combine: order.combine, context: order.context,
        sequences: order.sequences, rowCapacity: order.subBatchRows),
      shard: shard, kernels: configuration.kernels, team: team, nodeCount: placement.nodes.count,
      ownNode: order.node.rawValue)
    let peers = try peers(of: order)
    data.configure(
      DataPlaneConfiguration(
        node: session.node, cluster: session.cluster, term: session.term, epoch: placement.epoch, peers: peers))
    let outlet = WorkerOutlet(shell: self)
    engine.outlet = outlet
    return Running(
      order: order, engine: engine,
      holders: ExpertHolders(
        placement, ownNode: order.node, expertCount: share.spec.hyperparameters.expertCount),
      outlet: outlet, awaitedPeers: Set(peers.map(\.index)))
  }

  private func check(_ placement: Placement, _ share: LoadedShare) throws {
    guard let problem = placement.problem(for: ModelFacts(share.spec)) else { return }
    throw WorkerError(.badShare, "the coordinator's placement does not fit the model: \(problem)")
  }

  /// The nodes this one exchanges frames with: holders of its stages' experts, hosts of the stages whose experts it
  /// holds, and the hosts before and after its own stages.
  private func peers(of order: Prepare) throws -> [DataPeer] {
    let placement = order.placement
    var wanted: Set<NodeIndex> = []
    for (index, stage) in placement.stages.enumerated() {
      if stage.host == order.node {
        wanted.formUnion(stage.experts.map(\.node))
        if index > 0 { wanted.insert(placement.stages[index - 1].host) }
        if index + 1 < placement.stages.count { wanted.insert(placement.stages[index + 1].host) }
      }
      if stage.experts.contains(where: { $0.node == order.node }) { wanted.insert(stage.host) }
    }
    wanted.remove(order.node)
    return try wanted.sorted().map { node in
      let address = try HostPort(parsing: order.addresses[node.rawValue])
      return DataPeer(index: node, id: placement.nodes[node.rawValue], address: address)
    }
  }

  func acknowledgeIfConnected() {
    guard let running, !running.isAcknowledged, running.awaitedPeers.isEmpty else { return }
    running.isAcknowledged = true
    send(.activated(EpochNotice(epoch: running.epoch)))
  }

  /// Gives the memory of pieces back that no placement uses.
  private func releaseUnused(keeping kept: Set<PieceID>) {
    for (id, piece) in held where !kept.contains(id) {
      held[id] = nil
      arena.release(piece.piece.slot)
    }
    for piece in retired { arena.release(piece.slot) }
    retired = []
  }
}
