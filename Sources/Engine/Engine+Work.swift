import ModelGraph
import Scheduling
import Tensors

extension Engine {
  /// Does one piece of work, the most urgent there is: peers' decode rows, own decode, then prefill, peers' and own in
  /// turn.
  /// - Returns: false when nothing is ready.
  public func runOne() -> Bool {
    if let request = peerDecode.first {
      peerDecode.removeFirst()
      serve(request)
    } else if let active = firstReady(.decode) {
      advance(active)
    } else if !runPrefill() {
      return false
    }
    countWork()
    return true
  }

  private func runPrefill() -> Bool {
    let own = firstReady(.prefill)
    if let request = peerPrefill.first, prefillTurnIsPeers || own == nil {
      peerPrefill.removeFirst()
      prefillTurnIsPeers = false
      serve(request)
      return true
    }
    guard let own else { return false }
    prefillTurnIsPeers = true
    advance(own)
    return true
  }

  private func firstReady(_ phase: StepPhase) -> ActivePass? {
    passes.first { $0.progress.phase == phase && $0.isReady }
  }

  /// One layer of a pass: ends the layer whose experts have answered, then begins the next. A layer without experts is
  /// done at once.
  private func advance(_ active: ActivePass) {
    do {
      meter.enter(.experts, prefill: active.progress.phase == .prefill)
      if active.pass.awaitsExperts { forward.finishLayer(active.pass) }
      let stage = active.progress.stage
      guard active.pass.layer < stage.layers.upperBound else { return try finishStage(active) }
      // Its experts may have answered before those of the pass before it, whose keys of this layer it attends to.
      guard active.isReady else { return }
      let layer = active.pass.layer
      let rows = try forward.trunk(active.pass, kv: stage.cache.layout)
      active.progress.marks[active.index].trunkDone = layer.advanced(by: 1)
      if let rows { try exchange(active, rows) }
    } catch {
      drop(active.progress.id, because: error)
    }
  }
}
