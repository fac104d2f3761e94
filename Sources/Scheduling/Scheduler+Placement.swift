public import Tensors

/// What a change of placement means for the schedule. No step may be in flight: those that are were completed or taken
/// back before.
extension Scheduler {
  /// Tells the last host again how to sample, after it may have become another; the KV caches are kept.
  public mutating func reopen() {
    precondition(steps.isEmpty, "steps in flight are failed first")
    for id in activeOrder { active[id]?.isOpened = false }
  }

  /// Changes the number of stages, and with it how many steps may be in flight; at least 1.
  public mutating func setStageCount(_ count: Int) {
    precondition(steps.isEmpty, "steps in flight are failed first")
    let (before, vocabularySize) = (configuration.stageCount, configuration.vocabularySize)
    configuration.stageCount = max(1, count)
    // A limit that somebody set stays.
    let isDerived =
      configuration.logitRowsPerStep
      == SchedulerConfiguration.logitRows(stageCount: before, vocabularySize: vocabularySize)
    guard isDerived else { return }
    configuration.logitRowsPerStep = SchedulerConfiguration.logitRows(
      stageCount: configuration.stageCount, vocabularySize: vocabularySize)
  }

  /// Changes how many sequences have a KV cache at a time; at least 1.
  ///
  /// When they become fewer, those that became active last wait again, before all others; the hosts are told to free what
  /// they have of them by the next step, which runs alone, and they are computed anew when there is room.
  public mutating func resize(sequences: Int) {
    precondition(steps.isEmpty, "steps in flight are failed first")
    let blocksBefore = configuration.blockCount
    let slotsBefore = configuration.sequences
    configuration.sequences = max(1, sequences)
    account.grow(slots: configuration.sequences - slotsBefore, blocks: configuration.blockCount - blocksBefore)
    let surplus = activeOrder.dropFirst(configuration.sequences).compactMap { active[$0] }
    for state in surplus { retire(state.id) }
    waiting.insert(
      contentsOf: surplus.map { state in
        var state = state
        state.forgetCache()
        return state
      }, at: 0)
    // Hosts may hold more than they now have room for; nothing may overtake the step that tells them to free it.
    if configuration.sequences < slotsBefore, !unreleased.isEmpty { nextRunsAlone = true }
  }

  /// Takes back a step that could not be finished because a node was lost or out of reach, as `failed` does, and counts
  /// that for its sequences.
  /// - Returns: the steps that were taken back.
  @discardableResult
  public mutating func interrupted(_ id: StepID) -> [StepID] {
    // A step and the one that runs ahead of it are interrupted by one and the same thing.
    if let batch = steps[id]?.batch, batch.follows.flatMap({ steps[$0] }) == nil {
      for entry in batch.entries { active[entry.sequence]?.interruptions += 1 }
    }
    return failed(id)
  }

  /// How many steps with a sequence were interrupted since it last got further than ever before: by a token, or by
  /// positions that were cached for the first time. Computing anew what was there before is no progress.
  public func interruptions(of id: SequenceID) -> Int {
    active[id]?.interruptions ?? waiting.first { $0.id == id }?.interruptions ?? 0
  }
}
