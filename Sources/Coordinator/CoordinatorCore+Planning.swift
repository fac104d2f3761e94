import Scheduling
import Cluster
import ModelSpec
import Tensors
import Wire

/// Which placement is to run: as close to the one that is wished for as the nodes that are there allow.
extension CoordinatorCore {
  /// Looks whether another placement is right now, and begins to prepare it.
  mutating func plan(now: ContinuousClock.Instant) {
    guard mustPlan else { return }
    switch phase {
    case .failed, .stopped: return
    case .starting: guard mayBegin(now: now) else { return }
    case .running: break
    }
    // A switch is not to be disturbed; whatever it leads to is looked at again when it is over.
    if transition?.current.isSwitching == true { return }
    if let pausedUntil, pausedUntil > now, let running, !running.isBroken { return }
    mustPlan = false
    let available = available(now: now)
    switch place(desired.placement, on: available) {
    case .placement(let target): head(for: nearest(to: target, on: available), now: now)
    case .impossible(let reason):
      abandonTransition()
      wait(for: reason)
    }
  }

  private func place(_ wished: Placement, on available: Set<NodeID>) -> RecoveryPlan.Outcome {
    RecoveryPlan.place(
      desired: wished, current: running?.effective, available: available, apart: Set(apart.keys),
      limits: memoryLimits, facts: configuration.model.facts, sizes: configuration.model.sizes,
      context: configuration.context, sequences: desired.sequences, rows: configuration.subBatchRows)
  }

  /// While nothing runs, what takes the fewest bytes comes first: an edit that was still moving gigabytes when a node was
  /// lost is gone on with afterwards, in the background.
  private func nearest(to target: Placement, on available: Set<NodeID>) -> Placement {
    guard let running, running.isBroken, case .placement(let other) = place(running.placement, on: available),
      bytesMissing(other) < bytesMissing(target)
    else { return target }
    return other
  }

  /// Bytes of weights that nodes would have to get.
  private func bytesMissing(_ placement: Placement) -> Int {
    placement.participants.reduce(0) { sum, index in
      let held = nodes[placement.nodes[index.rawValue]]?.held ?? []
      let missing = placement.pieces(for: index, facts: configuration.model.facts).filter { !held.contains($0) }
      return sum + missing.reduce(0) { $0 + configuration.model.sizes.pieceBytes($1) }
    }
  }

  /// At the start all nodes are waited for; a patient coordinator does without those that do not come in time.
  private func mayBegin(now: ContinuousClock.Instant) -> Bool {
    if nodes.values.allSatisfy({ $0.isJoined || !isNeeded($0.id) }) { return true }
    return configuration.bringUp == .patient && now >= startedAt + configuration.timeouts.reach
  }

  /// Nodes that can be given something.
  private func available(now: ContinuousClock.Instant) -> Set<NodeID> {
    var available: Set<NodeID> = []
    for id in desired.placement.nodes {
      guard let node = nodes[id], node.isJoined, node.unfitUntil.map({ $0 <= now }) ?? true else { continue }
      available.insert(id)
    }
    return available
  }

  var memoryLimits: [NodeID: Int] { nodes.compactMapValues(\.memoryLimit) }

  private mutating func head(for target: Placement, now: ContinuousClock.Instant) {
    if let transition {
      if transition.target.hasSameShape(as: target, facts: configuration.model.facts),
        transition.sequences == desired.sequences
      {
        return explain()
      }
      abandonTransition()
    }
    if let running, !running.isBroken, !running.isStale,
      running.effective.hasSameShape(as: target, facts: configuration.model.facts),
      desired.sequences == scheduler.configuration.sequences
    {
      explain()
      dismissLeavers()
      return releaseRest(running)
    }
    begin(target, now: now)
  }

  /// A node is to give all memory back.
  private mutating func release(_ node: NodeID) {
    nodes[node]?.held = []
    nodes[node]?.mayHoldMore = false
    send(.release(EpochNotice(epoch: PlacementEpoch(rawValue: 0))), to: node)
  }

  /// Nothing is to change: what nodes hold beyond the running placement, they give back.
  private mutating func releaseRest(_ running: RunningPlacement) {
    for id in nodes.keys.sorted() {
      guard let node = nodes[id], node.isJoined, node.mayHoldMore else { continue }
      let isMember = node.link != nil && running.members[id] == node.link
      let share = isMember ? running.placement.pieces(of: id, facts: configuration.model.facts) : []
      nodes[id]?.held = Set(share)
      nodes[id]?.mayHoldMore = false
      send(.release(EpochNotice(epoch: running.epoch)), to: id)
    }
  }

  /// Says what is waited for, when that is not the placement that runs.
  private mutating func explain() {
    let missing = desired.placement.participants.map { desired.placement.nodes[$0.rawValue] }.filter {
      nodes[$0]?.isJoined != true
    }
    if missing.isEmpty, transition == nil {
      waitingFor = nil
    } else if !missing.isEmpty {
      let reasons = missing.map { id in
        "\(nodes[id]?.name ?? "\(id)")" + (nodes[id]?.lastFailure.map { ": \($0)" } ?? "")
      }
      wait(for: "waiting for \(reasons.joined(separator: "; "))")
    } else if waitingFor == nil {
      waitingFor = "preparing the placement of the topology"
    }
  }

  mutating func wait(for reason: String) {
    guard waitingFor != reason else { return }
    waitingFor = reason
    directives.append(.report(.waiting(reason)))
  }

  /// Begins to go to another placement, in as many waves as memory demands.
  private mutating func begin(_ target: Placement, now: ContinuousClock.Instant) {
    var waves = [target]
    do throws(TransitionError) {
      waves = try TransitionPlan.waves(
        from: running?.effective, to: target, facts: configuration.model.facts, sizes: configuration.model.sizes,
        limits: memoryLimits, context: configuration.context, sequences: desired.sequences,
        rows: configuration.subBatchRows)
      // On the way from a placement that is broken, something may be left where it was: on a node that is gone.
      if running?.isBroken ?? true, !waves.allSatisfy(canPrepare) {
        releaseAll()
        waves = [target]
      }
    } catch {
      guard running?.isBroken ?? true else {
        wait(for: "\(error)")
        pausedUntil = now + configuration.timeouts.mistrust
        return
      }
      releaseAll()
    }
    let first = waves.removeFirst()
    prepare(first, rest: waves, sequences: desired.sequences, now: now)
    explain()
  }

  /// Whether a placement is whole, and its nodes are there.
  private func canPrepare(_ placement: Placement) -> Bool {
    placement.problem(for: configuration.model.facts) == nil
      && placement.participants.allSatisfy { nodes[placement.nodes[$0.rawValue]]?.isJoined == true }
  }

  /// Nothing runs and nothing can go on from what did: all memory is given back, so that there is room.
  private mutating func releaseAll() {
    for node in nodes.keys.sorted() where nodes[node]?.isJoined == true { release(node) }
    running = nil
  }

  /// Tells every node that has a part in a placement, or in the one that runs, to get ready for it.
  mutating func prepare(
    _ placement: Placement, rest: [Placement], sequences: Int, now: ContinuousClock.Instant
  ) {
    let leaving = (running?.participants ?? []).filter { nodes[$0]?.isJoined == true }
    let names = placement.nodes + leaving.filter { placement.index(of: $0) == nil }.sorted()
    epochCount += 1
    guard let next = placement.renumbered(nodes: names)?.with(epoch: PlacementEpoch(rawValue: epochCount)) else {
      return note("a placement names a node that it does not have")
    }
    let involved = Set(next.participants.map { next.nodes[$0.rawValue] }).union(leaving)
    guard involved.allSatisfy({ nodes[$0]?.isJoined == true }) else {
      mustPlan = true
      return
    }
    transition = PlacementTransition(
      current: PlacementSwitch(to: next, involved: involved), rest: rest, sequences: sequences, moves: moves(to: next))
    for node in involved.sorted() { order(next, from: node, sequences: sequences, now: now) }
  }

  private mutating func order(_ next: Placement, from node: NodeID, sequences: Int, now: ContinuousClock.Instant) {
    guard let index = next.index(of: node), let state = nodes[node] else { return }
    let wanted = next.pieces(for: index, facts: configuration.model.facts)
    let pieces = wanted.compactMap { piece in
      configuration.model.pieces[piece]?.with(holder: state.held.contains(piece) ? nil : holder(of: piece, in: next))
    }
    let addresses = next.nodes.map { nodes[$0]?.addressForPeers.map { "\($0)" } ?? "" }
    let newPrepareDeadline = now + configuration.timeouts.prepare
    nodes[node]?.prepareDeadline = newPrepareDeadline
    nodes[node]?.bytesDone = -1
    nodes[node]?.mayHoldMore = true
    if let address = state.address, !wanted.allSatisfy(state.held.contains) {
      nodes[node]?.isServedWeights = true
      directives.append(.serveWeights(node, address))
    }
    let moves = transition?.moves.filter { $0.source == index || $0.target == index } ?? []
    let prepare = Prepare(
      model: configuration.model.id, headerDigest: configuration.model.header.digest,
      headerByteCount: configuration.model.header.byteCount, kvType: configuration.kvType,
      combine: configuration.combine, context: configuration.context, sequences: sequences,
      subBatchRows: configuration.subBatchRows, node: index, placement: next, addresses: addresses, pieces: pieces,
      moves: moves)
    send(.prepare(prepare), to: node)
  }

  /// A node of a placement that has a piece in memory.
  private func holder(of piece: PieceID, in placement: Placement) -> NodeIndex? {
    let index = placement.nodes.firstIndex { nodes[$0]?.isJoined == true && nodes[$0]?.held.contains(piece) == true }
    return index.map { NodeIndex($0) }
  }

  /// Layers whose host changes while the old one is there, in ranges.
  private func moves(to next: Placement) -> [KeyValueMove] {
    guard let running, !running.isBroken else { return [] }
    var moves: [KeyValueMove] = []
    for stage in next.stages {
      let target = next.nodes[stage.host.rawValue]
      for layer in stage.layers {
        guard let old = running.host(of: layer), old.node != target, nodes[old.node]?.link == old.link,
          let source = next.index(of: old.node)
        else { continue }
        if let last = moves.last, last.source == source, last.target == stage.host, last.layers.upperBound == layer {
          moves[moves.count - 1] = KeyValueMove(
            layers: last.layers.lowerBound..<layer.advanced(by: 1), source: source, target: stage.host)
        } else {
          moves.append(KeyValueMove(layers: layer..<layer.advanced(by: 1), source: source, target: stage.host))
        }
      }
    }
    return moves
  }
}

/// Edits of the topology.
extension CoordinatorCore {
  /// A saved file: what is right in itself replaces what was wished for, also while that is still being prepared.
  mutating func edited(_ edit: TopologyEdit, now: ContinuousClock.Instant) {
    switch edit {
    case .refused(let reason): refuse(reason)
    case .accepted(let cluster):
      if let reason = obstacle(to: cluster) { return refuse(reason) }
      refusal = nil
      waitingFor = nil
      pausedUntil = nil
      desired = cluster
      directives.append(.keepTopology(cluster.source))
      takeNodes(of: cluster, now: now)
      mustPlan = true
      directives.append(.report(.edited))
    }
  }

  private mutating func refuse(_ reason: String) {
    refusal = reason
    directives.append(.report(.refused(reason)))
  }

  /// Why there is no way from the placement that runs to the one that is wished for, when all its nodes are there.
  private func obstacle(to cluster: DesiredCluster) -> String? {
    guard let running, !running.isBroken else { return nil }
    var limits = memoryLimits
    // A worker of this machine is started anew with its new limit; what it said of the old one means nothing.
    for plan in cluster.nodes {
      limits[plan.id] = plan.memoryBytes ?? (plan.launch == nil ? nodes[plan.id]?.capabilityLimit : nil)
    }
    do throws(TransitionError) {
      _ = try TransitionPlan.waves(
        from: running.effective, to: cluster.placement, facts: configuration.model.facts,
        sizes: configuration.model.sizes, limits: limits, context: configuration.context,
        sequences: cluster.sequences, rows: configuration.subBatchRows)
      return nil
    } catch {
      return "\(error)"
    }
  }

  /// Reaches new nodes, and those whose address or settings have changed anew.
  private mutating func takeNodes(of cluster: DesiredCluster, now: ContinuousClock.Instant) {
    for plan in cluster.nodes {
      guard let known = nodes[plan.id] else {
        nodes[plan.id] = NodeState(plan: plan, limits: configuration.timeouts.watch, now: now)
        bringUp(plan.id)
        continue
      }
      nodes[plan.id]?.plan = plan
      guard known.plan.address != plan.address || known.plan.settings != plan.settings else { continue }
      lose(plan.id, "its address or settings were edited", now: now)
      if known.plan.launch != nil { directives.append(.stopWorker(plan.id)) }
      nodes[plan.id]?.address = plan.address
      nodes[plan.id]?.failures = 0
      bringUp(plan.id)
    }
    if transition == nil { dismissLeavers() }
  }

  /// Lets nodes go that are not wished for any more and have no part in what runs.
  mutating func dismissLeavers() {
    guard transition == nil else { return }
    let wanted = Set(desired.placement.nodes).union(running?.participants ?? [])
    for node in nodes.keys.sorted() where !wanted.contains(node) {
      release(node)
      if let link = nodes[node]?.link {
        links[link] = nil
        directives.append(.close(link))
      }
      stopServingWeights(node)
      book.lose(node)
      if nodes[node]?.plan.launch != nil { directives.append(.stopWorker(node)) }
      nodes[node] = nil
      directives.append(.report(.dismissed(node)))
    }
  }
}
