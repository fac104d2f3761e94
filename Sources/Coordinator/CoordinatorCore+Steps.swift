import Cluster
import Scheduling
import Tensors
import Wire

/// Steps: started at the first host, answered by the last.
extension CoordinatorCore {
  private var firstHost: Int { configuration.placement.stages.first?.host.rawValue ?? 0 }
  var lastHost: Int { configuration.placement.stages.last?.host.rawValue ?? 0 }

  /// Starts whatever steps can be started, and a reading of the counters when one is due.
  mutating func pump(now: ContinuousClock.Instant) {
    guard isRunning else { return }
    while let batch = scheduler.next() {
      steps[batch.id] = StartedStep(batch: batch, startedAt: now)
      lastStep = batch.id
      for entry in batch.entries {
        let job = JobID(rawValue: entry.sequence.rawValue)
        if jobs[job]?.firstStepAt == nil { jobs[job]?.firstStepAt = now }
      }
      send(.step(StepStart(batch: batch)), toNode: firstHost)
    }
    beginCounters(now: now)
  }

  mutating func stepEnded(
    _ outcome: StepOutcome, _ header: FrameHeader, from index: Int, now: ContinuousClock.Instant
  ) {
    guard isCurrent(header) else { return note("a late step result of \(nodes[index].id) was dropped") }
    guard index == lastHost else {
      return violated(index, "answered step \(outcome.step), which is the last host's to answer", now: now)
    }
    guard steps[outcome.step] != nil || outcome.step > lastStep else {
      return note("\(nodes[index].id) answered step \(outcome.step), which had ended")
    }
    let events: [SchedulerEvent]
    do {
      events = try scheduler.completed(outcome.step, results: outcome.results)
    } catch {
      return violated(index, "gave a wrong answer: \(error)", now: now)
    }
    steps[outcome.step] = nil
    for event in events { take(event, now: now) }
  }

  /// A worker could not carry out a step; the jobs in it fail, the others go on.
  mutating func stepFailed(
    _ failure: StepFailed, _ header: FrameHeader, from index: Int, now: ContinuousClock.Instant
  ) {
    // Numbers of steps are never used twice, so the epoch does not matter: a worker without a placement has none.
    guard header.term == configuration.term, let step = steps.removeValue(forKey: failure.step) else {
      return note("\(nodes[index].id) says that step \(failure.step), which is not in flight, failed")
    }
    scheduler.failed(failure.step)
    let error = CoordinatorError(
      .stepFailed, node: failure.node, "the worker \(failure.node) could not carry out a step: \(failure.sentence)")
    for entry in step.batch.entries {
      let job = JobID(rawValue: entry.sequence.rawValue)
      _ = scheduler.cancel(entry.sequence)
      if jobs[job]?.end == nil { fail(job, error) }
    }
    if jobs.isEmpty { takeIdleReading() }
  }

  private func isCurrent(_ header: FrameHeader) -> Bool {
    header.epoch == configuration.placement.epoch && header.term == configuration.term
  }
}
