import Cluster
import Engine
import Logging
import ModelGraph
import ModelSpec
import Scheduling
import Tensors
import Transport
import Wire

extension WorkerShell {
  /// A step from the coordinator.
  func begin(_ start: StepStart, under epoch: PlacementEpoch) {
    guard let running, running.isAcknowledged else {
      return interrupt(start.batch.id, "this worker runs no placement")
    }
    guard epoch == running.epoch else {
      return interrupt(
        start.batch.id, "the step is of placement \(epoch), but placement \(running.epoch) is running")
    }
    // What does not fit a message is not computed in the first place.
    let rowBytes = 4 * running.engine.configuration.spec.hyperparameters.vocabularySize
    let rowLimit = (FrameType.stepResult.payloadLimit - (4 << 20)) / rowBytes
    let rows = start.batch.entries.reduce(0) { sum, entry in
      if case .logits(let rows) = entry.wanted { sum + rows } else { sum }
    }
    guard rows <= rowLimit else {
      return fail(
        start.batch.id,
        "the step wants logits of \(rows) positions, of which at most \(rowLimit) fit a message; prefill in smaller chunks"
      )
    }
    running.engine.begin(start.batch)
  }

  func handle(_ event: DataEvent) {
    switch event {
    case .connected(let peer):
      running?.awaitedPeers.remove(peer)
      acknowledgeIfConnected()
    case .lost(let peer, let error):
      // Without a placement, what ends are connections of an earlier coordinator; peers that have switched to the new
      // one close them.
      guard let running else { return }
      logger.warning("a peer is lost", metadata: ["peer": "\(name(of: peer))", "reason": "\(error)"])
      send(.peerLost(PeerLost(node: peer, sentence: "\(error)")))
      doWithout(peer, running)
    case .reached(let peer): reached(peer)
    case .unreachable(let peer, let error): unreachable(peer, error)
    case .frame(let peer, let header, let payload):
      do {
        try handle(header, payload, from: peer)
      } catch {
        logger.warning(
          "a peer's frame is refused",
          metadata: ["peer": "\(name(of: peer))", "type": "\(header.type)", "reason": "\(error)"])
        refuse(header, payload, from: peer, because: error)
      }
    }
  }

  private func handle(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer, from peer: NodeIndex) throws {
    guard let running, header.epoch == running.epoch else { return }
    let phase = header.flags.contains(.prefill) ? StepPhase.prefill : .decode
    let step = StepID(rawValue: header.stream)
    meter.enter(.wire, prefill: phase == .prefill)
    switch header.type {
    case .dispatch:
      let view = try DispatchView(payload, hiddenSize: running.hiddenSize, expertCount: running.expertCount)
      let key = ExchangeKey(step: step, phase: phase, pass: view.pass, layer: view.layer)
      let request = try running.engine.makeRequest(
        key, part: view.part, from: peer.rawValue, rowCount: view.rowCount, choiceCount: view.choiceCount)
      fill(request, from: view)
      running.engine.enqueue(request)
    case .combine:
      let view = try CombineView(payload, hiddenSize: running.hiddenSize)
      let key = ExchangeKey(step: step, phase: phase, pass: view.pass, layer: view.layer)
      // Measured also when somebody else was faster: else a slow node would keep its good name.
      running.outlet.answered(key, part: view.part, node: peer.rawValue, rows: view.rowCount)
      try running.engine.receive(ReceivedSums(view: view), for: key, part: view.part, from: peer.rawValue)
    case .handOver: try resume(running, step, phase, payload)
    case .exchangeFailed:
      let message = try ExchangeFailed(payload: payload)
      let key = ExchangeKey(step: step, phase: phase, pass: message.pass, layer: message.layer)
      running.engine.refused(
        key, part: message.part, by: peer.rawValue,
        because: WorkerError(.protocolViolation, "\(name(of: peer)): \(message.sentence)"))
    case .keyValues: try receiveKeyValues(payload, from: peer, running)
    case .keyValuesEnd: try endKeyValues(payload, from: peer, running)
    default: throw WorkerError(.protocolViolation, "\(header.type) does not belong on the data plane")
    }
  }

  private func fill(_ request: ExpertRequest, from view: DispatchView) {
    view.copy(
      exponents: request.exponents, firstChoice: request.firstChoice, experts: request.experts,
      weights: request.weights)
    for form in ActivationForm.allCases where view.forms.contains(form) {
      let byteCount = form.wireBytes(elements: view.layout.hiddenSize)
      for row in 0..<view.rowCount {
        request.activations(form, row: row).copyMemory(
          from: view.activations(form, row: row), byteCount: byteCount)
      }
    }
  }

  private func resume(
    _ running: Running, _ step: StepID, _ phase: StepPhase, _ payload: UnsafeRawBufferPointer
  ) throws {
    let view = try HandOverView(payload, hiddenSize: running.hiddenSize)
    guard view.rowCount <= running.engine.configuration.rowCapacity else {
      throw WorkerError(.protocolViolation, "a hand-over of \(view.rowCount) rows is more than a pass may have")
    }
    view.copyRows(into: running.handOverRows.floats)
    running.engine.resume(
      PassHandOver(
        step: step, phase: phase, pass: view.pass, passCount: view.passCount, entries: view.entries,
        released: view.released, rows: UnsafePointer(running.handOverRows.floats), rowCount: view.rowCount),
      stage: view.stage)
  }

  /// Answers a frame that cannot be used, so that nobody waits for it.
  private func refuse(
    _ header: FrameHeader, _ payload: UnsafeRawBufferPointer, from peer: NodeIndex, because error: any Error
  ) {
    let step = StepID(rawValue: header.stream)
    switch header.type {
    case .dispatch:
      // Layer and pass stand at the start of the payload; a frame too short for them is answered for layer 0.
      let layer = payload.count >= 2 ? Int(payload.loadUnaligned(as: UInt16.self).littleEndian) : 0
      let pass =
        payload.count >= 4 ? Int(payload.loadUnaligned(fromByteOffset: 2, as: UInt16.self).littleEndian) : 0
      let part = payload.count >= 8 ? Int(payload[7]) : 0
      let message = ExchangeFailed(layer: LayerIndex(layer), pass: pass, part: part, sentence: "\(error)")
      sendFailure(message, header.stream, flags: header.flags, to: peer)
    case .combine, .handOver, .exchangeFailed:
      running?.engine.abandon(step)
      fail(step, "\(name(of: peer)) sent a bad \(header.type) frame: \(error)")
    default: break
    }
  }

  func sendFailure(_ message: ExchangeFailed, _ stream: UInt64, flags: FrameHeader.Flags, to peer: NodeIndex) {
    let payload = message.payload
    do {
      try data.send(.exchangeFailed, to: peer, flags: flags, stream: stream, payloadBytes: payload.count) {
        $0.copyBytes(from: payload)
      }
    } catch {
      logger.warning("a refusal cannot be sent", metadata: ["reason": "\(error)"])
    }
  }

  func fail(_ step: StepID, _ sentence: String) {
    logger.warning("a step failed", metadata: ["step": "\(step)", "reason": "\(sentence)"])
    guard let session else { return }
    send(.stepFailed(StepFailed(step: step, node: session.node, sentence: sentence)))
  }

  /// A step cannot go on here as things stand; nothing is wrong with it.
  func interrupt(_ step: StepID, _ sentence: String) {
    logger.notice("a step was interrupted", metadata: ["step": "\(step)", "reason": "\(sentence)"])
    guard let session else { return }
    send(.stepFailed(StepFailed(step: step, node: session.node, isInterrupted: true, sentence: sentence)))
  }

  func name(of peer: NodeIndex) -> NodeID {
    guard let nodes = running?.order.placement.nodes, nodes.indices.contains(peer.rawValue) else {
      return NodeID("node \(peer)")
    }
    return nodes[peer.rawValue]
  }
}

/// A combine frame as the engine takes it.
private struct ReceivedSums: PartialSums {
  let view: CombineView
  var rowCount: Int { view.rowCount }
  func add(row: Int, into sums: UnsafeMutablePointer<Int64>) { view.add(row: row, into: sums) }
}
