import Cluster
import Engine
import Logging
import ModelGraph
import Scheduling
import Tensors
import Transport
import Wire

/// Replicas: who is asked when a node is late or gone; and what the hosts learn of experts and nodes on the way.
extension WorkerShell {
  /// One piece of engine work; measures how long this node takes for its own experts.
  func runEngine() -> Bool {
    guard let running else { return false }
    running.outlet.ownRows = 0
    guard running.engine.runOne() else { return false }
    if running.outlet.ownRows > 0, let since = running.outlet.ownSince {
      running.holders.measured(
        running.order.node, rows: running.outlet.ownRows, time: configuration.clock() - since)
    }
    return true
  }

  /// There is nothing to do: time is counted as waiting while passes are under way here.
  func meterWaiting() {
    let phase = running?.engine.awaitingPhase
    meter.enter(phase == nil ? nil : .waiting, prefill: phase == .prefill)
  }

  /// Sends rows whose answer is late to other nodes as well. Whether there were any.
  func askOthers(_ now: ContinuousClock.Instant) -> Bool {
    guard let running else { return false }
    let late = running.answers.late(at: now)
    for part in late { _ = running.engine.resend(part.key, part: part.part) }
    return !late.isEmpty
  }

  /// The coordinator says that a node is gone.
  func nodeLost(_ loss: NodeLost) {
    guard let running, running.epoch == loss.epoch, loss.node != running.order.node,
      running.order.placement.nodes.indices.contains(loss.node.rawValue)
    else { return }
    doWithout(loss.node, running)
  }

  /// Rows go to replicas from now on, also those that the node has not answered.
  func doWithout(_ node: NodeIndex, _ running: Running) {
    running.holders.exclude(node)
    running.answers.forget { _, other in other == node.rawValue }
    running.engine.dropRequests(of: node.rawValue)
    running.engine.lost(node: node.rawValue)
    importFailed(node, running)
  }

  /// Tells how often experts were chosen, and how fast nodes are.
  func reportUse() {
    guard let running else { return send(.expertUse(ExpertUseReport(layers: [], speeds: []))) }
    let layers = running.engine.expertUse.sorted { $0.key < $1.key }.map {
      ExpertUseReport.Layer(layer: $0.key, counts: $0.value)
    }
    let nodes = running.order.placement.nodes
    let speeds = nodes.indices.compactMap { index in
      running.holders.rowNanoseconds(of: NodeIndex(index)).map {
        ExpertUseReport.Speed(node: nodes[index], rowNanoseconds: $0)
      }
    }
    send(.expertUse(ExpertUseReport(layers: layers, speeds: speeds)))
  }

  // MARK: - Keys and values

  /// Everyone has switched: what moves is sent now.
  func exportKeyValues(_ epoch: PlacementEpoch) {
    guard let running, running.epoch == epoch, let exports = running.exports else { return }
    running.exports = nil
    for target in Set(exports.moves.map(\.target)).sorted() {
      let layers = exports.moves.filter { $0.target == target }.map(\.layers)
      var count: Int?
      do {
        count = try sendKeyValues(of: layers, from: exports.engine, to: target)
      } catch {
        logger.warning("keys and values cannot be sent", metadata: ["reason": "\(error)"])
      }
      // A count that cannot be right tells the other side at once that they have to be computed again.
      let end = KeyValuesEnd(slabCount: count ?? Int(UInt32.max)).payload
      do {
        try data.send(.keyValuesEnd, to: target, flags: [], stream: 0, payloadBytes: end.count) {
          $0.copyBytes(from: end)
        }
      } catch {
        // It notices that the connection is gone.
        logger.warning("the end of keys and values cannot be sent", metadata: ["reason": "\(error)"])
      }
    }
  }

  /// - Returns: the number of slabs sent.
  private func sendKeyValues(of layers: [Range<LayerIndex>], from engine: Engine, to target: NodeIndex) throws -> Int {
    var count = 0
    // What waits for the network is bounded; a move that does not fit is better computed again.
    guard layers.reduce(0, { $0 + engine.exportByteCount(layers: $1) }) <= DataLimits.backlogBytes / 2 else {
      throw WorkerError(.badShare, "there are more of them than the connection takes")
    }
    for range in layers {
      try engine.exportBlocks(layers: range) { slab in
        guard slab.bytes.count <= WireLimits.keyValueSlabBytes else {
          throw WorkerError(.badShare, "a block of \(slab.bytes.count) bytes does not fit a frame")
        }
        count += 1
        let writer = KeyValuesWriter(
          sequence: slab.sequence, layer: slab.layer, block: slab.block, byteCount: slab.bytes.count)
        try data.send(.keyValues, to: target, flags: [], stream: 0, payloadBytes: writer.byteCount) {
          writer.write($0, bytes: slab.bytes)
        }
      }
    }
    return count
  }

  func receiveKeyValues(_ payload: UnsafeRawBufferPointer, from peer: NodeIndex, _ running: Running) throws {
    guard running.imports?.awaited[peer] != nil else { return }
    do {
      let view = try KeyValuesView(payload)
      try running.engine.importBlock(
        sequence: view.sequence, layer: view.layer, block: view.block, bytes: view.bytes)
      running.imports?.came(from: peer)
    } catch {
      importFailed(peer, running)
      throw error
    }
  }

  func endKeyValues(_ payload: UnsafeRawBufferPointer, from peer: NodeIndex, _ running: Running) throws {
    guard running.imports?.awaited[peer] != nil else { return }
    running.imports?.ended(peer, slabCount: try KeyValuesEnd(payload: payload).slabCount)
    reportImports(running)
  }

  private func importFailed(_ peer: NodeIndex, _ running: Running) {
    guard running.imports?.awaited[peer] != nil else { return }
    running.imports?.failed(peer)
    reportImports(running)
  }

  /// Says whether all has come, once it is known and the switch itself has been acknowledged.
  func reportImports(_ running: Running) {
    guard running.isAcknowledged, let imports = running.imports, imports.isDone else { return }
    running.imports = nil
    send(.activated(Activated(epoch: running.epoch, hasKeyValues: !imports.isIncomplete)))
  }
}
