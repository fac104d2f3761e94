import Cluster
import JobStore
import Scheduling
import Tensors
import Tokenization
import Transport
import Wire

/// Jobs: taken in, told what happens to them, summed up.
extension CoordinatorCore {
  mutating func submit(_ id: JobID, _ request: JobRequest, listener: JobListener, now: ContinuousClock.Instant) {
    if case .failed(let error) = phase { return deliver(.failed(error), id, [listener]) }
    let prompt: [TokenID]
    do throws(CoordinatorError) {
      prompt = try admit(request, id)
    } catch {
      return deliver(.failed(error), id, [listener])
    }
    add(id, listeners: [listener], prompt: prompt, seed: request.parameters.seed, now: now)
  }

  /// Keeps book of a job that the scheduler has taken.
  mutating func add(
    _ id: JobID, listeners: [JobListener], prompt: [TokenID], seed: UInt64, now: ContinuousClock.Instant
  ) {
    let isAlone = jobs.isEmpty
    var job = JobState(
      id: id, listeners: listeners, promptTokens: prompt, seed: seed, submittedAt: now,
      detokenizer: StreamingDetokenizer(configuration.model.tokenizer))
    if case .starting = phase {
      job.baseline = CountersBook.Reading()
    } else if isAlone, !book.isUnderWay {
      job.baseline = book.latest
    } else {
      book.want(id)
    }
    jobs[id] = job
    tell(.started(promptTokens: prompt, seed: seed), id)
  }

  /// Hands a job to the scheduler; returns its prompt.
  private mutating func admit(_ request: JobRequest, _ id: JobID) throws(CoordinatorError) -> [TokenID] {
    let sequence = try checked(request, id)
    do throws(SchedulingError) {
      try scheduler.admit(sequence)
    } catch {
      throw CoordinatorError(error)
    }
    return sequence.prompt
  }

  /// A job as the scheduler takes it.
  func checked(_ request: JobRequest, _ id: JobID) throws(CoordinatorError) -> SequenceRequest {
    let prompt = try tokens(of: request)
    do throws(SchedulingError) {
      // Checked here, so that one request's mistake never fails a step that others share.
      try request.parameters.validate()
      let sequence = SequenceRequest(
        id: SequenceID(rawValue: id.rawValue), prompt: prompt, sampling: request.parameters,
        maxTokens: request.maxTokens,
        endTokens: request.ignoreEOS ? [] : configuration.model.tokenizer.endOfGeneration,
        logitRows: request.logitRows)
      try scheduler.check(sequence)
      return sequence
    } catch {
      throw CoordinatorError(error)
    }
  }

  /// The prompt as tokens.
  private func tokens(of request: JobRequest) throws(CoordinatorError) -> [TokenID] {
    switch request.prompt {
    case .tokens(let tokens): return tokens
    case .text(let text):
      // No tokenizer makes so few tokens of so much text; the check keeps a huge prompt from holding up everyone.
      let limit = configuration.context.multipliedReportingOverflow(by: 1024)
      guard limit.overflow || text.utf8.count <= limit.partialValue else {
        throw CoordinatorError(
          .promptTooLong,
          "the prompt has \(text.utf8.count) bytes, which cannot fit the context of \(configuration.context) tokens")
      }
      return configuration.model.tokenizer.encode(text)
    }
  }

  mutating func cancel(_ id: JobID, now: ContinuousClock.Instant) {
    guard jobs[id] != nil, let event = scheduler.cancel(SequenceID(rawValue: id.rawValue)) else { return }
    take(event, now: now)
  }

  /// Passes on what became of a job's sequence.
  mutating func take(_ event: SchedulerEvent, now: ContinuousClock.Instant) {
    switch event {
    case .token(let sequence, let token, let logProbability):
      let id = JobID(rawValue: sequence.rawValue)
      guard var job = jobs.removeValue(forKey: id) else { return }
      let text = job.detokenizer.append(token)
      job.tokens.append(token)
      job.logProbabilities.append(logProbability)
      job.text += text
      if job.firstTokenAt == nil { job.firstTokenAt = now }
      jobs[id] = job
      if job.stored != nil, durable.nextCheckpoint == nil {
        durable.nextCheckpoint = now + configuration.timeouts.checkpoint
      }
      let listeners = job.listeners.filter { $0.wants(job.tokens.count - 1) }
      deliver(.tokens(JobTokens(tokens: [token], logProbabilities: [logProbability], text: text)), id, listeners)
    case .logits(let sequence, let first, let rows, let values):
      tell(.logits(first: first, rows: rows, values: values), JobID(rawValue: sequence.rawValue))
    case .ended(let sequence, let reason):
      let id = JobID(rawValue: sequence.rawValue)
      guard var job = jobs.removeValue(forKey: id) else { return }
      let rest = job.detokenizer.finish()
      job.text += rest
      job.end = (reason, now)
      jobs[id] = job
      if !rest.isEmpty { tell(.tokens(JobTokens(tokens: [], logProbabilities: [], text: rest)), id) }
      if case .running = phase { book.want(id) } else { finish(id) }
    }
  }

  private mutating func finish(_ id: JobID) {
    guard let job = jobs.removeValue(forKey: id), let end = job.end else { return }
    let (baseline, names) = (job.baseline ?? book.latest, nodes.keys.sorted())
    let summary = JobSummary(
      promptTokens: job.promptTokens, tokens: job.tokens, text: job.text, stopReason: end.reason, seed: job.seed,
      timing: job.timing, wire: book.usage(since: baseline, names: names),
      nodeCount: running?.participants.count ?? 0, stageCount: running?.placement.stages.count ?? 0,
      work: book.work(since: baseline, names: names))
    if job.stored != nil { storeEnd(of: job, summary) }
    deliver(.finished(summary), id, job.listeners)
  }

  /// Ends a job with an error.
  mutating func fail(_ id: JobID, _ error: CoordinatorError) {
    guard let job = jobs.removeValue(forKey: id) else { return }
    book.forget(id)
    _ = scheduler.cancel(SequenceID(rawValue: id.rawValue))
    if job.end != nil {
      // Its answer is complete; only the counters are missing.
      jobs[id] = job
      finish(id)
    } else {
      // What the coordinator's own end cuts off goes on after its next start.
      if job.stored != nil, error.code != .stopped { storeFailure(of: job, error) }
      // Clients of a job that goes on are not told that it has failed: they connect again.
      let isOver = job.stored == nil || error.code != .stopped
      deliver(.failed(error), id, isOver ? job.listeners : job.listeners.filter { $0 == .local })
    }
  }

  mutating func failJobs(_ error: CoordinatorError) {
    scheduler.failAll()
    steps = [:]
    for id in jobs.keys.sorted() { fail(id, error) }
  }

  private mutating func tell(_ event: JobEvent, _ id: JobID) {
    guard let listeners = jobs[id]?.listeners else { return }
    deliver(event, id, listeners)
  }

  mutating func deliver(_ event: JobEvent, _ id: JobID, _ listeners: [JobListener]) {
    for listener in listeners {
      switch listener {
      case .local: directives.append(.deliver(event, id))
      case .client(let link, let request, _): tellClient(event, id, link, request)
      }
    }
  }
}

/// Counters: read when jobs begin beside others, and when they end.
extension CoordinatorCore {
  /// A reading with nobody waiting for it, so that the next job starts from fresh figures.
  mutating func takeIdleReading() { book.want(JobID(rawValue: 0)) }

  /// Begins a round when one is wanted. The end of the only job waits until the hosts have been told to free its
  /// memory, so that the figures are complete and the same every time.
  mutating func beginCounters(now: ContinuousClock.Instant) {
    guard book.isWanted, !book.isUnderWay, scheduler.isIdle || !scheduler.isEmpty || !canStep else { return }
    let asked = Set(nodes.keys.filter { nodes[$0]?.isJoined == true })
    book.begin(asking: asked, deadline: now + configuration.timeouts.counters)
    for node in asked.sorted() { send(.countersRequest, to: node) }
  }

  mutating func counted(_ node: NodeID, _ counters: NodeCounters) {
    if book.answered(node: node, counters) { directives.append(.readCounters) }
  }

  mutating func finishCounters(own: TrafficCounters, now: ContinuousClock.Instant) {
    for id in book.finish(own: own) {
      guard jobs[id]?.baseline != nil else {
        jobs[id]?.baseline = book.latest
        // A job that ended while its first reading was under way needs a second one to compare with.
        if jobs[id]?.end != nil { book.want(id) }
        continue
      }
      if jobs[id]?.end != nil { finish(id) }
    }
  }
}

extension CoordinatorError {
  /// A sequence that was not admitted.
  init(_ error: SchedulingError) {
    let code: Code =
      switch error.code {
      case .promptTooLong: .promptTooLong
      case .queueFull: .busy
      case .emptyPrompt, .unknownToken, .badRequest: .badRequest
      case .unknownStep, .badResult: .badAnswer
      }
    self.init(code, error.message)
  }
}
