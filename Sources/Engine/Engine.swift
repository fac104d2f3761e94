public import Kernels
public import ModelGraph
import ModelSpec
import Sampling
public import Scheduling
public import Tensors

/// One node's engine: the weights it holds, the KV cache of the stages it hosts, and a queue of work that never waits.
///
/// A step is suspended at a layer until its experts have answered; meanwhile `runOne` finds other work. Order: peers'
/// decode rows, own decode, then prefill, peers' and own in turn. Confined to one thread, or driven inline.
public final class Engine {
  public let configuration: EngineConfiguration
  let forward: Forward
  let model: Hyperparameters
  let stages: [HostedStageState]
  let sampler: Sampler
  /// What the last host knows of the sequences it samples for.
  var samplingStates: [SequenceID: SamplingState] = [:]

  var steps: [StepKey: StepProgress] = [:]
  /// Steps that wait for the end of another one, by that one.
  var followers: [StepID: StepBatch] = [:]
  /// The last step that was through on this, its last host.
  var lastFinished: StepID?
  /// In the order in which they arrived.
  var passes: [ActivePass] = []
  var peerDecode: [ExpertRequest] = []
  var peerPrefill: [ExpertRequest] = []
  var prefillTurnIsPeers = true
  var sparePasses: [Pass] = []
  var spareRequests: [ExpertRequest] = []
  var spareRetained: [RetainedExchange] = []
  /// Reused for the choices of an exchange.
  let exchangeScratch: ExchangeScratch
  let requestSums: AlignedBuffer
  let logits: AlignedBuffer
  let expertCounts: ExpertCounts
  let meter: WorkMeter
  /// Pieces of work done; a sign of life.
  public private(set) var progress: UInt64 = 0
  /// Exchanges with other nodes begun, each one round trip.
  public internal(set) var exchanges: UInt64 = 0

  /// Where messages go. Not retained.
  public weak var outlet: (any EngineOutlet)?

  /// - Parameters:
  ///   - shard: the weights this node holds; all that `configuration` needs must be in before work begins.
  ///   - nodeCount: nodes of the placement.
  ///   - ownNode: this node's number.
  ///   - meter: told what is worked on, and of exchanges; the same for all engines that a node has one after another.
  ///   - old: the engine of the placement before, under the same coordinator's term; none of its steps is under way.
  ///     Layers that it hosted too keep their keys and values: a stage of the very same layers takes the cache over, others copy, so that for them both
  ///     caches are in memory until the old engine goes. The old engine must do no work any more; layers that left
  ///     can still be exported from it. Nothing is taken from an engine whose keys and values are of another kind
  ///     (`EngineConfiguration.keepsKeyValues(of:)`). Sampling states are not taken over: sequences are opened anew.
  public init(
    _ configuration: EngineConfiguration, shard: Shard, kernels: Kernels, team: ThreadTeam, nodeCount: Int,
    ownNode: Int, meter: WorkMeter = WorkMeter(), inheriting old: Engine? = nil
  ) {
    self.configuration = configuration
    self.meter = meter
    model = configuration.spec.hyperparameters
    forward = Forward(
      spec: configuration.spec, shard: shard, kernels: kernels, team: team, combine: configuration.combine,
      rowCapacity: configuration.rowCapacity, meter: meter)
    let ancestor = old.flatMap { configuration.keepsKeyValues(of: $0.configuration) ? $0 : nil }
    stages = configuration.stages.map { stage in
      HostedStageState(stage, cache: Self.cache(for: stage, configuration, ancestor))
    }
    sampler = Sampler(kernels: kernels)
    exchangeScratch = ExchangeScratch(
      model, rowCapacity: configuration.rowCapacity, nodeCount: nodeCount, ownNode: ownNode)
    requestSums = AlignedBuffer(byteCount: 8 * configuration.rowCapacity * model.hiddenSize)
    logits = AlignedBuffer(byteCount: configuration.logitBytes)
    expertCounts = ExpertCounts(model)
    if let old {
      progress = old.progress
      releases = old.releases
      for stage in stages { expertCounts.inherit(stage.layers, from: old.expertCounts) }
    }
  }

  /// Whether anything is queued, ready or not.
  public var isIdle: Bool { passes.isEmpty && peerDecode.isEmpty && peerPrefill.isEmpty }

  /// How often the router chose each expert of each hosted layer since the layer came to this node: totals by expert.
  /// Layers without experts are left out.
  public var expertUse: [LayerIndex: [UInt64]] {
    let layers = stages.flatMap(\.layers).filter { configuration.spec.requiresExperts($0) }
    return Dictionary(uniqueKeysWithValues: layers.map { ($0, expertCounts[$0]) })
  }

  /// The phase of a pass that nothing can be done for before others have answered; decode before prefill, nil when there
  /// is no pass. To be asked when `runOne` has found nothing.
  public var awaitingPhase: StepPhase? {
    guard !passes.isEmpty else { return nil }
    return passes.contains { $0.progress.phase == .decode } ? .decode : .prefill
  }

  /// KV blocks in use over all hosted stages.
  public var keyValueBlocksInUse: Int { stages.reduce(0) { $0 + $1.cache.blocksInUse } }

  // MARK: - Steps

  /// Begins a step on the first host.
  ///
  /// A step that follows one that is under way here begins when that one is through (`StepBatch.follows`).
  public func begin(_ step: StepBatch) {
    do {
      guard let stage = stages.first(where: { $0.layers.lowerBound == 0 }) else {
        throw EngineError(.protocolViolation, "this node does not host the first stage")
      }
      if let before = step.follows {
        try checkAhead(step, stage)
        if try postpone(step, until: before) { return }
        guard lastFinished == before else {
          let error = EngineError(.stepDropped, "step \(before), which step \(step.id) follows, was dropped")
          return interrupt(step.id, because: error)
        }
      }
      release(step.released, in: step.id)
      let filled = try fill(step)
      for entry in filled.entries where entry.tokens.count != entry.rowCount {
        throw EngineError(
          .protocolViolation, "an entry has \(entry.tokens.count) tokens for \(entry.rowCount) rows")
      }
      meter.enter(.output, prefill: step.phase == .prefill)
      let slices = slice(filled.entries)
      let progress = try open(step.id, step.phase, stage, passCount: slices.count)
      progress.results = filled.ended
      guard !slices.isEmpty else { return try finishEmpty(progress, released: step.released) }
      for (index, entries) in slices.enumerated() {
        let active = try makePass(progress, index: index, entries: entries)
        var row = 0
        for entry in entries {
          try forward.embed(entry.tokens, into: active.pass, row: row)
          row += entry.rowCount
        }
      }
      progress.released = step.released
    } catch {
      drop(step.id, because: error)
    }
  }

  /// Takes a pass over from the host of the stage before `stage`.
  public func resume(_ handOver: PassHandOver, stage index: Int) {
    do {
      guard let stage = stages.first(where: { $0.index == index }) else {
        throw EngineError(.protocolViolation, "this node does not host stage \(index)")
      }
      release(handOver.released, in: handOver.step)
      // A pass of a step that failed elsewhere may come after its sequence was released; it must not take KV again.
      guard !handOver.entries.contains(where: { isStale($0.sequence, in: handOver.step) }) else { return }
      let key = StepKey(step: handOver.step, stage: index)
      let progress =
        try steps[key] ?? open(handOver.step, handOver.phase, stage, passCount: handOver.passCount)
      guard handOver.passCount > 0 else { return try finishEmpty(progress, released: handOver.released) }
      let rowCount = handOver.entries.reduce(0) { $0 + $1.rowCount }
      guard handOver.passCount == progress.passCount, (0..<progress.passCount).contains(handOver.pass),
        rowCount == handOver.rowCount, rowCount <= configuration.rowCapacity, handOver.phase == progress.phase
      else {
        throw EngineError(.protocolViolation, "a pass of step \(handOver.step) does not fit its step")
      }
      guard !progress.marks[handOver.pass].hasBegun else { return }
      let active = try makePass(progress, index: handOver.pass, entries: handOver.entries)
      active.pass.hidden.update(from: handOver.rows, count: rowCount * model.hiddenSize)
      progress.released += handOver.released
    } catch {
      drop(handOver.step, because: error)
    }
  }

  /// Forgets a step, and the one that follows it: its passes are dropped, answers to it are ignored.
  public func abandon(_ step: StepID) {
    steps = steps.filter { $0.key.step != step }
    followers = followers.filter { $0.key != step && $0.value.id != step }
    for active in passes where active.progress.id == step { retire(active) }
  }

  /// Takes a pass out and keeps its memory for another one; nothing happens when it is out already.
  func retire(_ active: ActivePass) {
    guard let index = passes.firstIndex(where: { $0 === active }) else { return }
    passes.remove(at: index)
    sparePasses.append(active.pass)
    if let retained = active.retained { spareRetained.append(retained) }
    active.beginExchange()
    active.retained = nil
  }

  /// Frees what ended sequences held here, and drops work that was still under way for them.
  func release(_ sequences: [SequenceID], in step: StepID) {
    // A step tells each of the stages hosted here; a sequence that it begins anew must be freed by the first alone.
    let sequences = sequences.filter { releases[$0] != step }
    guard !sequences.isEmpty else { return }
    for sequence in sequences { releases[sequence] = step }
    if releases.count > Self.releaseLimit {
      let kept = releases.sorted { $0.value > $1.value }.prefix(Self.releaseLimit / 2)
      releases = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }
    // Also steps that wait here for passes which another host has dropped.
    for progress in Array(steps.values) where !progress.sequences.isDisjoint(with: sequences) { abandon(progress.id) }
    for sequence in sequences {
      samplingStates[sequence] = nil
      for stage in stages { stage.cache.release(sequence) }
    }
  }

  /// Whether a step that came later has already released the sequence.
  private func isStale(_ sequence: SequenceID, in step: StepID) -> Bool {
    releases[sequence].map { step < $0 } ?? false
  }

  func fail(_ step: StepID, because error: any Error) {
    abandon(step)
    outlet?.failed(step, because: error)
  }

  /// Drops a step that could not be finished now, but may be another time.
  func interrupt(_ step: StepID, because error: any Error) {
    abandon(step)
    outlet?.interrupted(step, because: error)
  }

  /// Drops a step after an error: what the outlet could not send can be sent another time, all else will be wrong again.
  func drop(_ step: StepID, because error: any Error) {
    if let failure = error as? OutletFailure {
      interrupt(step, because: failure.cause)
    } else {
      fail(step, because: error)
    }
  }

  func countWork() { progress &+= 1 }

  /// The step that released each of the last sequences to end.
  private var releases: [SequenceID: StepID] = [:]
  private static let releaseLimit = 4096
}

/// A step in one of the stages of this node.
struct StepKey: Hashable {
  let step: StepID
  let stage: Int
}
