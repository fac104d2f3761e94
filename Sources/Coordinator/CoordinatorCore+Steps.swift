import JobStore
import Cluster
import Scheduling
import Tensors
import Wire

/// Steps: started at the first host, answered by the last.
extension CoordinatorCore {
  /// How often in a row the steps of a job may be interrupted before it is given up.
  static let interruptionLimit = 100

  /// Starts whatever steps can be started, also ahead of the results of others, and a reading of the counters when one
  /// is due.
  mutating func pump(now: ContinuousClock.Instant) {
    if canStep, let host = running?.firstHost {
      while let batch = scheduler.next() {
        steps[batch.id] = StartedStep(batch: batch, startedAt: now)
        lastStep = batch.id
        for entry in batch.entries {
          let job = JobID(rawValue: entry.sequence.rawValue)
          if jobs[job]?.firstStepAt == nil { jobs[job]?.firstStepAt = now }
        }
        send(.step(StepStart(batch: batch)), to: host)
      }
    }
    if case .running = phase { beginCounters(now: now) }
  }

  mutating func stepEnded(
    _ outcome: StepOutcome, _ header: FrameHeader, from node: NodeID, now: ContinuousClock.Instant
  ) {
    guard isCurrent(header) else { return note("a late step result of \(node) was dropped") }
    guard node == running?.lastHost else {
      return violated(node, "answered step \(outcome.step), which is the last host's to answer", now: now)
    }
    guard let step = steps[outcome.step] else {
      guard outcome.step > lastStep else { return note("\(node) answered step \(outcome.step), which had ended") }
      return violated(node, "answered step \(outcome.step), which was never started", now: now)
    }
    let events: [SchedulerEvent]
    do {
      events = try scheduler.completed(outcome.step, results: outcome.results)
    } catch {
      return violated(node, "gave a wrong answer: \(error)", now: now)
    }
    steps[outcome.step] = nil
    for (id, next) in steps where next.batch.follows == outcome.step { steps[id]?.startedAt = now }
    if step.batch.phase == .prefill { speed.measured(rows: step.batch.rowCount, in: now - step.startedAt) }
    for event in events { take(event, now: now) }
  }

  /// A worker could not carry out a step. Only interrupted, it runs again; else the jobs in it fail, the others go on.
  mutating func stepFailed(
    _ failure: StepFailed, _ header: FrameHeader, from node: NodeID, now: ContinuousClock.Instant
  ) {
    // Numbers of steps are never used twice, so the epoch does not matter: a worker without a placement has none.
    guard header.term == configuration.term, let step = steps[failure.step] else {
      // Every host of an interrupted step says so; the first one counts.
      guard !failure.isInterrupted else { return }
      return note("\(node) says that step \(failure.step), which is not in flight, failed")
    }
    guard failure.isInterrupted else { return fail(step, failure) }
    for id in scheduler.interrupted(failure.step) { steps[id] = nil }
    note("step \(failure.step) was interrupted at \(node): \(failure.sentence)")
    giveUpOften(step.batch)
    // Whoever could not carry it out has lost a connection, and the others know nothing of it.
    guard let running, running.isBroken == false else { return }
    self.running?.isBroken = true
    interruptSteps()
    mustPlan = true
  }

  private mutating func fail(_ step: StartedStep, _ failure: StepFailed) {
    for id in scheduler.failed(failure.step) { steps[id] = nil }
    let error = CoordinatorError(
      .stepFailed, node: failure.node, "the worker \(failure.node) could not carry out a step: \(failure.sentence)")
    for entry in step.batch.entries {
      let job = JobID(rawValue: entry.sequence.rawValue)
      _ = scheduler.cancel(entry.sequence)
      if jobs[job]?.end == nil { fail(job, error) }
    }
    if jobs.isEmpty { takeIdleReading() }
  }

  /// Takes all steps under way back; they run again from their start, under the next placement or this one.
  mutating func interruptSteps() {
    for id in steps.keys.sorted().reversed() {
      guard let step = steps.removeValue(forKey: id) else { continue }
      scheduler.interrupted(id)
      giveUpOften(step.batch)
    }
  }

  /// A job whose steps are interrupted again and again would take the others with it.
  private mutating func giveUpOften(_ batch: StepBatch) {
    for entry in batch.entries where scheduler.interruptions(of: entry.sequence) > Self.interruptionLimit {
      let error = CoordinatorError(
        .stepFailed,
        "its steps were interrupted \(Self.interruptionLimit) times in a row; the last placement is "
          + "\(epoch)")
      let job = JobID(rawValue: entry.sequence.rawValue)
      if jobs[job]?.end == nil { fail(job, error) }
    }
  }

  private func isCurrent(_ header: FrameHeader) -> Bool {
    header.epoch == epoch && header.term == configuration.term
  }
}
