import Cluster
import JobStore
import Scheduling
import Tensors
import Tokenization
import Transport
import Wire

/// Durable jobs: on disk before they are answered, and going on after the coordinator starts again.
extension CoordinatorCore {
  /// Takes up the jobs of an earlier start, or says why they cannot go on.
  mutating func restoreJobs(now: ContinuousClock.Instant) {
    for stored in configuration.storedJobs {
      guard stored.state == .open else {
        durable.keep(stored)
        continue
      }
      do throws(CoordinatorError) {
        try restore(stored, now: now)
      } catch {
        let failed = StoredJob(
          accepted: stored.accepted, tokens: stored.tokens, logProbabilities: stored.logProbabilities,
          state: .failed(reason: error.message))
        durable.keep(failed)
        write([.failed(stored.id, reason: error.message)])
      }
    }
  }

  private mutating func restore(_ stored: StoredJob, now: ContinuousClock.Instant) throws(CoordinatorError) {
    let job = stored.accepted
    if let reason = mismatch(job) { throw CoordinatorError(.badModel, reason) }
    let request = JobRequest(
      prompt: .tokens(job.promptTokens), parameters: job.sampling, maxTokens: job.maxTokens, ignoreEOS: job.ignoreEOS)
    let sequence = try checked(request, stored.id)
    let ending: EndReason?
    do throws(SchedulingError) {
      ending = try scheduler.admit(sequence, answer: stored.tokens)
    } catch {
      throw CoordinatorError(error)
    }
    add(stored.id, listeners: [], prompt: job.promptTokens, seed: job.sampling.seed, now: now)
    var state = jobs[stored.id]
    state?.stored = JobState.StoredProgress(accepted: job, tokenCount: stored.tokens.count)
    state?.tokens = stored.tokens
    state?.logProbabilities = stored.logProbabilities
    var text = ""
    for token in stored.tokens { text += state?.detokenizer.append(token) ?? "" }
    state?.text = text
    jobs[stored.id] = state
    if let ending { take(.ended(sequence.id, ending), now: now) }
  }

  /// Why a job's tokens would be others now.
  private func mismatch(_ job: AcceptedJob) -> String? {
    func differs<Value: Equatable>(_ what: String, _ then: Value, _ now: Value) -> String? {
      then == now ? nil : "the job was begun with \(what) \(then), this coordinator runs \(what) \(now)"
    }
    return differs("model", job.model, configuration.model.id)
      ?? differs("numerics version", job.numericsVersion, configuration.numericsVersion)
      ?? differs("kv", job.kvType.name, configuration.kvType.name)
      ?? differs("combine", job.combine.name, configuration.combine.name)
  }

  /// A client wants a job that outlives it.
  mutating func submitDurable(_ submission: Submit, _ link: LinkID, now: ContinuousClock.Instant) {
    var request = JobRequest(submission)
    guard request.logitRows == 0 else {
      return decline(submission.request, link, CoordinatorError(.badRequest, "a durable job has no logits"))
    }
    if case .failed(let error) = phase { return decline(submission.request, link, error) }
    guard scheduler.waitingCount + durable.writes.count < scheduler.configuration.waitingLimit else {
      return decline(
        submission.request, link, CoordinatorError(.busy, "too many jobs are waiting already; try again later"))
    }
    let id = durable.newJob()
    do throws(CoordinatorError) {
      let sequence = try checked(request, id)
      request.prompt = .tokens(sequence.prompt)
      // The limit that the context sets is the job's own: a later start may have another context.
      let room = configuration.context - sequence.prompt.count
      let maxTokens = min(request.maxTokens ?? room, room)
      request.maxTokens = maxTokens
      let accepted = AcceptedJob(
        id: id, created: Int64(wallClock(now)), model: configuration.model.id,
        numericsVersion: configuration.numericsVersion, kvType: configuration.kvType, combine: configuration.combine,
        promptTokens: sequence.prompt, sampling: request.parameters, maxTokens: maxTokens, ignoreEOS: request.ignoreEOS)
      let ticket = durable.newTicket(.accepted(id, request, accepted, client: link, request: submission.request))
      directives.append(.journal([.accepted(accepted)], ticket))
    } catch {
      decline(submission.request, link, error)
    }
  }

  /// Milliseconds since 1970.
  private func wallClock(_ now: ContinuousClock.Instant) -> UInt64 {
    configuration.startTime + UInt64(max(0, (now - startedAt).seconds * 1000))
  }

  private mutating func write(_ entries: [JournalEntry]) {
    var before: [JobID: Int] = [:]
    for case .tokens(let job, let first, _, _) in entries { before[job] = first }
    directives.append(.journal(entries, durable.newTicket(.progress(before))))
  }

  /// What was written down is on disk, or cannot be.
  mutating func journaled(_ ticket: UInt64, _ error: JournalError?, now: ContinuousClock.Instant) {
    guard let write = durable.writes.removeValue(forKey: ticket) else { return }
    if let error { note("the journal: \(error)") }
    if case .progress(let before) = write, error != nil { return writeAgain(from: before, now: now) }
    guard case .accepted(let id, let request, let accepted, let link, let number) = write else { return }
    if let error {
      return decline(number, link, CoordinatorError(.busy, "the job could not be written down: \(error)"))
    }
    submit(id, request, listener: .client(link, request: number), now: now)
    // Its client is told the id and nothing more, unless it attaches.
    jobs[id]?.listeners = []
    jobs[id]?.stored = JobState.StoredProgress(accepted: accepted)
  }

  /// What could not be written is tried again with what comes; a job that has ended meanwhile is generated again after
  /// the next start, to the same tokens.
  private mutating func writeAgain(from before: [JobID: Int], now: ContinuousClock.Instant) {
    for (job, count) in before {
      guard let stored = jobs[job]?.stored else { continue }
      jobs[job]?.stored?.tokenCount = min(count, stored.tokenCount)
      durable.nextCheckpoint = now + configuration.timeouts.checkpoint
    }
  }

  /// Writes down what durable jobs have generated.
  mutating func checkpoint(now: ContinuousClock.Instant) {
    durable.nextCheckpoint = nil
    var entries: [JournalEntry] = []
    for id in jobs.keys.sorted() { entries += newTokens(of: id) }
    if !entries.isEmpty { write(entries) }
  }

  /// What the journal does not have yet of a job's tokens.
  private mutating func newTokens(of id: JobID) -> [JournalEntry] {
    guard let job = jobs[id], let stored = job.stored, stored.tokenCount < job.tokens.count else { return [] }
    jobs[id]?.stored?.tokenCount = job.tokens.count
    return [Self.tokens(of: job, from: stored.tokenCount)]
  }

  private static func tokens(of job: JobState, from first: Int) -> JournalEntry {
    .tokens(
      job.id, first: first, tokens: Array(job.tokens[first...]), logProbabilities: Array(job.logProbabilities[first...])
    )
  }

  mutating func storeEnd(of job: JobState, _ summary: JobSummary) {
    guard let stored = job.stored else { return }
    let times = JobTimes(
      queue: summary.timing.queue, prefill: summary.timing.prefill, decode: summary.timing.decode,
      firstToken: summary.timing.firstToken, stageCount: summary.stageCount, nodeCount: summary.nodeCount)
    var entries: [JournalEntry] = []
    if stored.tokenCount < job.tokens.count { entries.append(Self.tokens(of: job, from: stored.tokenCount)) }
    entries.append(.ended(job.id, summary.stopReason, times))
    write(entries)
    durable.keep(
      StoredJob(
        accepted: stored.accepted, tokens: job.tokens, logProbabilities: job.logProbabilities,
        state: .ended(summary.stopReason, times)))
  }

  mutating func storeFailure(of job: JobState, _ error: CoordinatorError) {
    guard let stored = job.stored else { return }
    write([.failed(job.id, reason: error.message)])
    durable.keep(
      StoredJob(
        accepted: stored.accepted, tokens: job.tokens, logProbabilities: job.logProbabilities,
        state: .failed(reason: error.message)))
  }

  // MARK: - Questions

  /// A client wants to hear of a job: what is there first, then what comes.
  mutating func attached(_ attach: Attach, _ link: LinkID) {
    let id = JobID(rawValue: attach.job)
    if let job = jobs[id], job.stored != nil {
      let listener = JobListener.client(link, request: attach.request)
      clients[link]?.attached[id] = attach.request
      // Before a crash it may have heard tokens that were not written down; they are generated again, but told once.
      clients[link]?.known[id] = attach.tokenCount > job.tokens.count ? attach.tokenCount : nil
      replay(id, prompt: job.promptTokens, seed: job.seed, job.tokens, job.logProbabilities, attach, listener)
      jobs[id]?.listeners.append(listener)
    } else if let job = durable.ended[id] {
      replayEnded(job, attach, link)
    } else {
      decline(attach.request, link, CoordinatorError(.badRequest, "there is no durable job \(attach.job)"))
    }
  }

  private mutating func replay(
    _ id: JobID, prompt: [TokenID], seed: UInt64, _ tokens: [TokenID], _ logProbabilities: [Float], _ attach: Attach,
    _ listener: JobListener
  ) {
    deliver(.started(promptTokens: prompt, seed: seed), id, [listener])
    var detokenizer = StreamingDetokenizer(configuration.model.tokenizer)
    let known = min(attach.tokenCount, tokens.count)
    for token in tokens[..<known] { _ = detokenizer.append(token) }
    var next = known
    while next < tokens.count {
      let end = min(next + Self.replayTokens, tokens.count)
      let text = tokens[next..<end].reduce(into: "") { $0 += detokenizer.append($1) }
      let part = JobTokens(
        tokens: Array(tokens[next..<end]), logProbabilities: Array(logProbabilities[next..<end]), text: text)
      deliver(.tokens(part), id, [listener])
      next = end
    }
  }

  /// Tokens in one message of a replay.
  private static var replayTokens: Int { 4096 }

  private mutating func replayEnded(_ job: StoredJob, _ attach: Attach, _ link: LinkID) {
    let listener = JobListener.client(link, request: attach.request)
    let accepted = job.accepted
    replay(
      job.id, prompt: accepted.promptTokens, seed: accepted.sampling.seed, job.tokens, job.logProbabilities, attach,
      listener)
    switch job.state {
    case .open: break
    case .failed(let reason): deliver(.failed(CoordinatorError(.stepFailed, reason)), job.id, [listener])
    case .ended(let reason, let times):
      var detokenizer = StreamingDetokenizer(configuration.model.tokenizer)
      var text = job.tokens.reduce(into: "") { $0 += detokenizer.append($1) }
      let rest = detokenizer.finish()
      text += rest
      if !rest.isEmpty { deliver(.tokens(JobTokens(tokens: [], logProbabilities: [], text: rest)), job.id, [listener]) }
      let summary = JobSummary(
        promptTokens: accepted.promptTokens, tokens: job.tokens, text: text, stopReason: reason,
        seed: accepted.sampling.seed,
        timing: JobSummary.Timing(
          queue: times.queue, prefill: times.prefill, decode: times.decode, firstToken: times.firstToken),
        wire: WireUsage(nodes: []), nodeCount: times.nodeCount, stageCount: times.stageCount)
      deliver(.finished(summary), job.id, [listener])
    }
  }

  mutating func cancelled(_ cancellation: CancelJob, _ link: LinkID, now: ContinuousClock.Instant) {
    let id = JobID(rawValue: cancellation.job)
    guard jobs[id]?.stored != nil || durable.ended[id] != nil else {
      return decline(
        cancellation.request, link, CoordinatorError(.badRequest, "there is no durable job \(cancellation.job)"))
    }
    cancel(id, now: now)
    let job = jobDescriptions().first { $0.job == cancellation.job }
    send(.jobList(JobList(request: cancellation.request, jobs: job.map { [$0] } ?? [])), on: link)
  }

  /// All durable jobs, ascending.
  func jobDescriptions() -> [JobDescription] {
    var all: [JobDescription] = []
    for job in jobs.values {
      guard let stored = job.stored else { continue }
      let isCancelled = job.end?.reason == .cancelled
      let state: JobStateCode =
        isCancelled ? .cancelled : job.end != nil ? .done : isActive(job.id) ? .running : .waiting
      let reason = state == .waiting || !canStep ? waitingReason : ""
      all.append(
        JobDescription(
          job: job.id.rawValue, state: state, tokens: job.tokens.count,
          created: UInt64(max(0, stored.accepted.created)),
          reason: job.end == nil ? reason : ""))
    }
    for job in durable.ended.values {
      let (state, reason): (JobStateCode, String) =
        switch job.state {
        case .open: (.waiting, "")
        case .ended(.cancelled, _): (.cancelled, "")
        case .ended: (.done, "")
        case .failed(let reason): (.failed, reason)
        }
      all.append(
        JobDescription(
          job: job.id.rawValue, state: state, tokens: job.tokens.count,
          created: UInt64(max(0, job.accepted.created)), reason: reason))
    }
    return all.sorted { $0.job < $1.job }.suffix(WireLimits.jobs)
  }

  /// Whether the job has its turn and the cluster can run it.
  private func isActive(_ id: JobID) -> Bool {
    running != nil && running?.isBroken == false && scheduler.isActive(SequenceID(rawValue: id.rawValue))
  }

  private var waitingReason: String {
    if running == nil || running?.isBroken == true { return waitingFor ?? "the cluster is being brought up" }
    return "other jobs are before it"
  }
}
