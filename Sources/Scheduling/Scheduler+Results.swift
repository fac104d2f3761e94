public import Tensors

extension Scheduler {
  /// Takes in what a step came to, and says what became of its sequences, in the order of the step's entries.
  ///
  /// - Throws: `SchedulingError` when the step is not in flight or the results are not those it asked for; nothing has
  ///   changed then.
  public mutating func completed(_ id: StepID, results: [StepResult]) throws(SchedulingError) -> [SchedulerEvent] {
    guard let step = steps[id] else {
      throw SchedulingError(.unknownStep, "results came for step \(id), which is not in flight")
    }
    if let before = step.batch.follows, steps[before] != nil {
      throw SchedulingError(.badResult, "results came for step \(id) before those of step \(before), which it follows")
    }
    let outcomes = try checked(results, of: step.batch)
    steps[id] = nil
    if loneStep == id { loneStep = nil }
    account.reclaim(step.reservation)
    var events: [SchedulerEvent] = []
    for (entry, outcome) in zip(step.batch.entries, outcomes) { accept(outcome, for: entry, of: id, &events) }
    return events
  }

  /// Takes back a step that will never be answered, and with it the one that follows it; their rows are part of later
  /// steps again, under other ids. Nothing happens when it is not in flight.
  /// - Returns: the steps that were taken back.
  @discardableResult
  public mutating func failed(_ id: StepID) -> [StepID] {
    guard let step = steps[id] else { return [] }
    let followers = steps.values.first { $0.batch.follows == id }.map { failed($0.batch.id) } ?? []
    steps[id] = nil
    loneStep = nil
    nextRunsAlone = true
    unreleased = step.batch.released + unreleased
    unreleasedReservation.add(step.reservation)
    let before = step.batch.follows.flatMap { steps[$0]?.batch.id }
    for entry in step.batch.entries {
      active[entry.sequence]?.step = before
      active[entry.sequence]?.isOpened = false
      if before == nil, active[entry.sequence]?.hasEnded == true { retire(entry.sequence) }
    }
    return followers + [id]
  }

  /// Takes back every step in flight.
  public mutating func failAll() {
    for id in steps.keys.sorted().reversed() { failed(id) }
  }

  /// The outcomes in the order of the batch's entries, each of the kind and size that was asked for.
  private func checked(
    _ results: [StepResult], of batch: StepBatch
  ) throws(SchedulingError) -> [StepResult.Outcome] {
    guard results.count == batch.entries.count else {
      throw SchedulingError(
        .badResult, "step \(batch.id) has \(batch.entries.count) entries and \(results.count) results")
    }
    var outcomes: [StepResult.Outcome] = []
    for (index, entry) in batch.entries.enumerated() {
      // Hosts keep the order of the entries; any other order is found too.
      let found =
        results[index].sequence == entry.sequence
        ? results[index] : results.first { $0.sequence == entry.sequence }
      guard let result = found else {
        throw SchedulingError(.badResult, "step \(batch.id) has no result for sequence \(entry.sequence)")
      }
      // What came before a step that follows may have ended a sequence; the host has then nothing to tell of it.
      let mayBeNothing = batch.follows != nil && active[entry.sequence]?.hasEnded ?? true
      if !mayBeNothing || result.outcome != .none { try check(result, of: entry, batch.id) }
      outcomes.append(result.outcome)
    }
    return outcomes
  }

  private func check(_ result: StepResult, of entry: StepEntry, _ step: StepID) throws(SchedulingError) {
    let end = entry.position + entry.rowCount
    let place = "step \(step), sequence \(entry.sequence)"
    let expectedPosition = entry.wanted == .token ? end : end - 1
    guard result.position == expectedPosition else {
      throw SchedulingError(
        .badResult, "\(place): the result is for position \(result.position), not \(expectedPosition)")
    }
    switch (entry.wanted, result.outcome) {
    case (.nothing, .none): break
    case (.token, .token(let token, let logProbability)):
      guard token.rawValue < configuration.vocabularySize else {
        throw SchedulingError(
          .badResult, "\(place): the token \(token) is outside the vocabulary of \(configuration.vocabularySize)")
      }
      guard logProbability.isFinite else {
        throw SchedulingError(.badResult, "\(place): the token's log-probability is \(logProbability)")
      }
    case (.logits(let wanted), .logits(let rows, let values)):
      guard rows == wanted, values.count == wanted * configuration.vocabularySize else {
        throw SchedulingError(
          .badResult,
          "\(place): \(values.count) logits in \(rows) rows came; \(wanted) rows of "
            + "\(configuration.vocabularySize) were asked for")
      }
    default:
      throw SchedulingError(.badResult, "\(place): the result is of another kind than was asked for")
    }
  }

  private mutating func accept(
    _ outcome: StepResult.Outcome, for entry: StepEntry, of step: StepID, _ events: inout [SchedulerEvent]
  ) {
    let id = entry.sequence
    guard var state = active[id] else { return }
    if state.step == step { state.step = nil }
    guard !state.hasEnded else {
      active[id] = state
      if state.isReady { retire(id) }
      return
    }
    state.cached = entry.position + entry.rowCount
    if state.cached > state.reached {
      state.reached = state.cached
      state.interruptions = 0
    }
    tick += 1
    state.readySince = tick
    var end: EndReason?
    switch outcome {
    case .token(let token, let logProbability):
      state.isOpened = true
      state.tokens.append(token)
      events.append(.token(id, token, logProbability: logProbability))
      end = endReason(state, after: token)
    case .logits(let rows, let values):
      events.append(.logits(id, first: state.cached - rows, rows: rows, values: values))
      state.firstLogitPosition = state.cached
      end = state.pendingRows == 0 ? .length : nil
    case .none:
      end = state.pendingRows == 0 ? .length : nil
    }
    state.hasEnded = end != nil
    active[id] = state
    guard let end else { return }
    events.append(.ended(id, end))
    if state.isReady { retire(id) }
  }

  func endReason(_ state: SequenceState, after token: TokenID) -> EndReason? {
    if state.request.endTokens.contains(token) { return .stop }
    let full = state.tokens.count >= state.request.positions(context: configuration.context)
    return full ? .length : nil
  }
}
