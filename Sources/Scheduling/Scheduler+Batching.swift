import Tensors

extension Scheduler {
  /// The next step to start; nil while nothing is ready or as many steps are in flight as there are stages (with one
  /// stage: that one and one that runs ahead).
  ///
  /// - Parameter releasing: whether a step may be made only to tell the hosts what to free.
  public mutating func next(releasing: Bool = true) -> StepBatch? {
    guard loneStep == nil, steps.isEmpty || !nextRunsAlone else { return nil }
    guard steps.count < configuration.stageCount else { return nextAhead() }
    let decodes = readyIDs(decoding: true)
    let hasPrefill = !readyIDs(decoding: false).isEmpty || firstWaitingFits
    if !decodes.isEmpty, !hasPrefill || lastPhase == .prefill {
      return start(.decode, decodeEntries(decodes))
    }
    if hasPrefill { return start(.prefill, prefillEntries()) }
    guard releasing, !unreleased.isEmpty else { return nil }
    return start(nil, [])
  }

  /// A step that decodes the sequences of the one in flight once more, before its tokens are known here. Not while a
  /// prompt waits that has its turn when the step in flight is through.
  private mutating func nextAhead() -> StepBatch? {
    guard configuration.stageCount == 1, steps.count == 1, let before = steps.values.first,
      before.batch.phase == .decode, readyIDs(decoding: false).isEmpty, !firstWaitingFits(after: before)
    else { return nil }
    let entries = before.batch.entries.filter { goesOn($0) }.map { entry in
      StepEntry(sequence: entry.sequence, position: entry.position + 1, rowCount: 1, tokens: [], wanted: .token)
    }
    return entries.isEmpty ? nil : start(.decode, entries, follows: before.batch.id)
  }

  /// Whether the sequence of an entry in flight wants another token after the one that comes, unless that ends it.
  private func goesOn(_ entry: StepEntry) -> Bool {
    guard let state = active[entry.sequence], !state.hasEnded else { return false }
    return entry.position + 2 < state.request.positions(context: configuration.context)
  }

  /// Ready sequences, those first that have waited longest (decode) or were active first (prefill).
  private func readyIDs(decoding: Bool) -> [SequenceID] {
    let ready = activeOrder.filter { id in
      guard let state = active[id] else { return false }
      return state.isReady && state.isDecoding == decoding
    }
    guard decoding else { return ready }
    return ready.sorted { (active[$0]?.readySince ?? 0) < (active[$1]?.readySince ?? 0) }
  }

  private var firstWaitingFits: Bool { firstWaitingFits(returning: unreleasedReservation) }

  private func firstWaitingFits(returning reservation: KVBlockAccount.Reservation) -> Bool {
    guard let first = waiting.first else { return false }
    var trial = account
    return trial.reserve(blocks: first.blocks, returning: reservation)
  }

  /// Whether there is room for the first that waits when a step in flight is through, so far as that is known now.
  private func firstWaitingFits(after step: InFlightStep) -> Bool {
    guard !waiting.isEmpty else { return false }
    var returning = unreleasedReservation
    returning.add(step.reservation)
    for entry in step.batch.entries where !goesOn(entry) {
      returning.add(KVBlockAccount.Reservation(slots: 1, blocks: active[entry.sequence]?.blocks ?? 0))
    }
    return firstWaitingFits(returning: returning)
  }

  /// One stage takes all ready sequences; several share out all that decode, so that each has work.
  private func decodeEntries(_ ready: [SequenceID]) -> [StepEntry] {
    let decoding = active.values.count { $0.isDecoding && !$0.hasEnded }
    let share = (decoding + configuration.stageCount - 1) / configuration.stageCount
    return ready.prefix(max(1, share)).compactMap { active[$0]?.entry(rows: 1, logitRows: 0) }
  }

  /// Chunks of prompts, oldest first, as many rows as a step takes; waiting sequences become active on the way.
  private mutating func prefillEntries() -> [StepEntry] {
    var entries: [StepEntry] = []
    var rows = configuration.prefillChunk
    var logitRows = configuration.logitRowsPerStep
    func take(_ state: SequenceState?) {
      guard rows > 0, let entry = state?.entry(rows: rows, logitRows: logitRows) else { return }
      rows -= entry.rowCount
      if case .logits(let count) = entry.wanted { logitRows -= count }
      entries.append(entry)
    }
    for id in readyIDs(decoding: false) { take(active[id]) }
    // A sequence becomes active only with an entry in this very step: it may use what the step itself releases, and
    // no other step may overtake that.
    while rows > 0, let first = waiting.first, first.entry(rows: rows, logitRows: logitRows) != nil,
      account.reserve(blocks: first.blocks, returning: unreleasedReservation)
    {
      waiting.removeFirst()
      active[first.id] = first
      activeOrder.append(first.id)
      take(first)
    }
    return entries
  }

  /// Registers a step with these entries and everything there is to release.
  private mutating func start(
    _ phase: StepPhase?, _ entries: [StepEntry], follows before: StepID? = nil
  ) -> StepBatch {
    if let phase { lastPhase = phase }
    let batch = StepBatch(
      id: makeStepID(), phase: phase ?? .decode, entries: entries, released: unreleased, follows: before)
    steps[batch.id] = InFlightStep(batch: batch, reservation: unreleasedReservation)
    if nextRunsAlone { loneStep = batch.id }
    nextRunsAlone = false
    unreleased = []
    unreleasedReservation = KVBlockAccount.Reservation()
    for entry in entries { active[entry.sequence]?.step = batch.id }
    return batch
  }
}
