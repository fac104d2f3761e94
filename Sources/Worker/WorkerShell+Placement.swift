import Cluster
import Engine
import Kernels
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
    let epoch = order.placement.epoch
    logger.info("preparing", metadata: ["epoch": "\(epoch)", "pieces": "\(order.pieces.count)"])
    if let problem = problem(of: order) {
      preparing = nil
      return send(.prepareFailed(PrepareFailed(epoch: epoch, sentence: problem)))
    }
    forgetPieces(except: order)
    running?.exports = nil
    shareRequests += 1
    let peers: [DataPeer]
    do {
      peers = try order.dataPeers()
    } catch {
      preparing = nil
      return send(.prepareFailed(PrepareFailed(epoch: epoch, sentence: "\(error)")))
    }
    preparing = Preparation(order: order, request: shareRequests, awaitedPeers: Set(peers.map(\.id)))
    if let session { data.reach(peers, as: session.identity) }
    let check = ShareCheck(
      order: order, threads: team.threadCount,
      limit: configuration.memoryLimit ?? (configuration.machineMemory > 0 ? configuration.machineMemory : nil))
    let request = ShareRequest(
      number: shareRequests,
      header: PieceEntry(id: .header, byteCount: order.headerByteCount, digest: order.headerDigest),
      spec: heldHeader?.digest == order.headerDigest ? heldHeader?.spec : nil,
      pieces: order.pieces.map { PieceEntry(id: $0.piece, byteCount: $0.byteCount, digest: $0.digest) },
      peers: session.map { PeerPieces(order, as: $0.identity) }, check: { spec in try check(spec) })
    loader.load(request, held: held) { [mailbox] event in _ = mailbox.post(.share(event)) }
  }

  /// Why an order cannot even be begun; nil when it can.
  private func problem(of order: Prepare) -> String? {
    let name = order.placement.nodes[order.node.rawValue]
    if let session, session.node != name {
      return "the placement calls this worker \(name), the handshake \(session.node)"
    }
    guard let running else { return nil }
    if order.placement.epoch <= running.epoch {
      return "placement \(order.placement.epoch) is not newer than placement \(running.epoch), which is running"
    }
    if order.model != running.order.model {
      return "this worker runs model \(running.order.model); a change to model \(order.model) needs a new coordinator"
    }
    return nil
  }

  /// Gives up pieces in memory that neither the running placement nor the one to come uses.
  private func forgetPieces(except order: Prepare) {
    if heldModel != order.model { heldModel = nil }
    if heldHeader?.digest != order.headerDigest { heldHeader = nil }
    let wanted = Dictionary(order.pieces.map { ($0.piece, $0.digest) }) { first, _ in first }
    held = held.filter { id, piece in piece.digest == wanted[id] || running?.share.pieces[id] === piece }
    shelf.put(held.values)
  }

  func handle(_ event: ShareEvent) {
    switch event {
    case .progress(let request, let progress):
      guard let preparing, preparing.request == request else { return }
      send(
        .progress(
          Progress(
            epoch: preparing.epoch, piecesDone: progress.piecesDone, piecesTotal: progress.piecesTotal,
            bytesDone: progress.bytesDone, bytesTotal: progress.bytesTotal, bytesMoved: progress.bytesMoved)))
    case .failed(let request, let sentence):
      guard let failed = preparing, failed.request == request else { return }
      preparing = nil
      send(.prepareFailed(PrepareFailed(epoch: failed.epoch, sentence: sentence)))
    case .loaded(let request, let share): loaded(share, request)
    }
  }

  private func loaded(_ share: LoadedShare, _ request: Int) {
    guard request == shareRequests else { return }
    // Weights that were loaded for a coordinator that is gone stay for the next one.
    held.merge(share.pieces) { _, new in new }
    heldPins = share.pins
    shelf.put(held.values)
    heldHeader = (share.headerDigest, share.spec)
    guard var current = preparing, current.request == request else { return }
    current.share = share
    preparing = current
    heldModel = current.order.model
    reportIfPrepared()
  }

  /// Says that everything is ready to be switched to: the weights are here, and the peers can be reached.
  private func reportIfPrepared() {
    guard let ready = preparing, let share = ready.share, ready.awaitedPeers.isEmpty, !ready.isReported else { return }
    preparing?.isReported = true
    send(.prepared(Prepared(epoch: ready.epoch, bytesMoved: share.bytesMoved)))
  }

  /// A peer of the placement to come can be reached.
  func reached(_ peer: NodeID) {
    guard preparing?.awaitedPeers.remove(peer) != nil else { return }
    reportIfPrepared()
  }

  /// A peer of the placement to come cannot be reached so far.
  func unreachable(_ peer: NodeID, _ error: TransportError) {
    guard let ready = preparing, let index = ready.order.placement.index(of: peer) else { return }
    logger.notice("a peer cannot be reached", metadata: ["peer": "\(peer)", "reason": "\(error)"])
    if !ready.isReported { preparing?.awaitedPeers.insert(peer) }
    send(.peerUnreachable(PeerUnreachable(epoch: ready.epoch, node: index, sentence: "\(error)")))
  }

  /// Switches to a prepared placement; acknowledged once the connections to the peers it needs are up.
  func activate(_ notice: Activate) {
    let epoch = notice.epoch
    if let running, running.epoch == epoch {
      if running.isAcknowledged { acknowledge(running) }
      return
    }
    guard let ready = preparing, ready.epoch == epoch, let share = ready.share else {
      send(.prepareFailed(PrepareFailed(epoch: epoch, sentence: "this worker has not prepared placement \(epoch)")))
      return
    }
    preparing = nil
    let old = running?.engine
    endPlacement()
    do {
      running = try start(ready.order, share, notice, old: old)
    } catch {
      send(.prepareFailed(PrepareFailed(epoch: epoch, sentence: "\(error)")))
      return
    }
    held = share.pieces
    shelf.put(held.values)
    acknowledgeIfConnected()
  }

  private func start(_ order: Prepare, _ share: LoadedShare, _ notice: Activate, old: Engine?) throws -> Running {
    guard let session else { throw WorkerError(.protocolViolation, "there is no coordinator") }
    let placement = order.placement
    let shard = Shard(spec: share.spec)
    for piece in share.pieces.values { shard.insert(piece.piece) }
    let engine = Engine(
      EngineConfiguration(order, spec: share.spec), shard: shard, kernels: configuration.kernels, team: team,
      nodeCount: placement.nodes.count, ownNode: order.node.rawValue, meter: meter, inheriting: old)
    let peers = try order.dataPeers()
    data.configure(
      DataPlaneConfiguration(
        node: session.node, cluster: session.cluster, term: session.term, epoch: placement.epoch, peers: peers))
    let outlet = WorkerOutlet(shell: self)
    engine.outlet = outlet
    let running = Running(
      order: order, share: share, engine: engine,
      holders: ExpertHolders(
        placement, ownNode: order.node, expertCount: share.spec.hyperparameters.expertCount),
      outlet: outlet, awaitedPeers: Set(peers.map(\.index)))
    guard notice.movesKeyValues else { return running }
    let leaving = order.moves.filter { $0.source == order.node }
    if let old, !leaving.isEmpty { running.exports = KeyValueExports(engine: old, moves: leaving) }
    let coming = order.moves.filter { $0.target == order.node }
    if !coming.isEmpty { running.imports = KeyValueImports(coming) }
    return running
  }

  func acknowledgeIfConnected() {
    guard let running, !running.isAcknowledged, running.awaitedPeers.isEmpty else { return }
    running.isAcknowledged = true
    acknowledge(running)
    reportImports(running)
  }

  private func acknowledge(_ running: Running) {
    send(.activated(Activated(epoch: running.epoch, hasKeyValues: !(running.imports?.isIncomplete ?? false))))
  }

  /// What was prepared is not wanted any more: the memory goes back. So does that of the running placement, unless it is
  /// the one that the coordinator names and this node has a part in it.
  func release(_ epoch: PlacementEpoch) {
    preparing = nil
    shareRequests += 1
    loader.cancel()
    running?.exports = nil
    if let session { data.reach([], as: session.identity) }
    if let running, running.epoch == epoch, !running.share.pieces.isEmpty {
      held = running.share.pieces
      heldPins = running.share.pins
      return shelf.put(held.values)
    }
    endPlacement()
    held = [:]
    heldPins = nil
    shelf.put([])
  }
}
