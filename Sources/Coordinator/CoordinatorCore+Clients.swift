import JobStore
import Scheduling
import Tensors
import Transport
import Wire

/// A remote client.
struct ClientState {
  /// When it has said hello at the latest; nil once it has.
  var greetingDeadline: ContinuousClock.Instant?
  /// Its own jobs, which end with it, and the durable ones that it listens to; with its numbers for them.
  var jobs: [JobID: UInt64] = [:]
  var attached: [JobID: UInt64] = [:]

  /// Clients at a time.
  static let countLimit = 256
  /// Jobs of one client at a time.
  static let jobLimit = 64
}

/// Remote clients: they submit jobs over the control plane and get the same events. Whatever they send, only they
/// themselves suffer.
extension CoordinatorCore {
  mutating func clientOpened(_ link: LinkID, now: ContinuousClock.Instant) {
    guard clients.count < ClientState.countLimit else {
      send(.refuse(Refuse(code: CoordinatorError.Code.busy.rawValue, sentence: "too many clients")), on: link)
      return directives.append(.close(link))
    }
    links[link] = .client
    clients[link] = ClientState(greetingDeadline: now + configuration.timeouts.greeting)
  }

  mutating func clientClosed(_ link: LinkID, now: ContinuousClock.Instant) {
    guard let client = clients.removeValue(forKey: link) else { return }
    for job in client.jobs.keys.sorted() { cancel(job, now: now) }
    for job in client.attached.keys { jobs[job]?.listeners.removeAll { $0.isClient(link) } }
  }

  mutating func clientSent(_ message: ControlMessage, _ link: LinkID, now: ContinuousClock.Instant) {
    guard let client = clients[link] else { return }
    switch message {
    case .hello(let hello) where client.greetingDeadline != nil: greeted(hello, link)
    case _ where client.greetingDeadline != nil: drop(link, "say hello first", now: now)
    case .submit(let submission): submitted(submission, link, now: now)
    case .cancel(let cancellation):
      let job = JobID(rawValue: cancellation.job)
      if client.jobs[job] != nil { cancel(job, now: now) }
    case .attach(let attach): attached(attach, link)
    case .cancelJob(let cancellation): cancelled(cancellation, link, now: now)
    case .jobsRequest(let question):
      send(.jobList(JobList(request: question.request, jobs: jobDescriptions())), on: link)
    case .topologyRequest(let question): send(.topologyStatus(topologyStatus(question.request)), on: link)
    case .loadRequest(let question): askForLoad(question.request, link, now: now)
    case .ping(let heartbeat): send(.pong(heartbeat), on: link)
    case .pong: break
    default: drop(link, "a client does not send \(message.type) messages", now: now)
    }
  }

  private mutating func greeted(_ hello: Hello, _ link: LinkID) {
    guard hello.role == .client else {
      let sentence =
        "this is a coordinator (cluster \(configuration.cluster), numerics version "
        + "\(configuration.numericsVersion)); a coordinator connects to workers: check the address"
      send(.refuse(Refuse(code: CoordinatorError.Code.refused.rawValue, sentence: sentence)), on: link)
      links[link] = nil
      clients[link] = nil
      return directives.append(.close(link))
    }
    clients[link]?.greetingDeadline = nil
    let capabilities = NodeCapabilities(
      instructionSet: "", cores: 0, memoryBytes: 0, readBandwidth: 0, software: configuration.software)
    let welcome = Welcome(
      numericsVersion: configuration.numericsVersion, node: WireUsage.coordinatorName, capabilities: capabilities,
      model: configuration.model.id)
    send(.welcome(welcome), on: link)
  }

  /// Tells a client what it did wrong and closes its link.
  mutating func drop(_ link: LinkID, _ reason: String, now: ContinuousClock.Instant) {
    send(.refuse(Refuse(code: CoordinatorError.Code.badRequest.rawValue, sentence: reason)), on: link)
    directives.append(.close(link))
    links[link] = nil
    clientClosed(link, now: now)
  }

  private mutating func submitted(_ submission: Submit, _ link: LinkID, now: ContinuousClock.Instant) {
    guard let client = clients[link], client.jobs.count < ClientState.jobLimit else {
      return decline(
        submission.request, link,
        CoordinatorError(.busy, "one client may run \(ClientState.jobLimit) jobs at a time"))
    }
    if submission.isDurable { return submitDurable(submission, link, now: now) }
    clientJobCount += 1
    // Durable jobs count from 1 on, those of this process from 1 << 49.
    let id = JobID(rawValue: 1 << 48 | clientJobCount)
    clients[link]?.jobs[id] = submission.request
    submit(id, JobRequest(submission), listener: .client(link, request: submission.request), now: now)
  }

  /// Answers a request that no job comes of.
  mutating func decline(_ request: UInt64, _ link: LinkID, _ error: CoordinatorError) {
    send(.jobFailed(JobFailed(request: request, job: 0, code: error.code.rawValue, sentence: error.message)), on: link)
  }

  /// A job's event as a message to a client.
  mutating func tellClient(_ event: JobEvent, _ id: JobID, _ link: LinkID, _ request: UInt64) {
    guard clients[link] != nil else { return }
    let message: ControlMessage
    switch event {
    case .started(let promptTokens, let seed):
      message = .submitted(
        Submitted(request: request, job: id.rawValue, seed: seed, promptTokens: promptTokens))
    case .tokens(let tokens):
      let generated = zip(tokens.tokens, tokens.logProbabilities).map {
        GeneratedToken(token: $0, logProbability: $1)
      }
      message = .tokens(GeneratedTokens(job: id.rawValue, tokens: generated, text: Array(tokens.text.utf8)))
    case .logits(let first, let rows, let values):
      message = .logits(PromptLogits(job: id.rawValue, position: first, rows: rows, values: values))
    case .finished(let summary):
      forget(id, link)
      message = .finished(JobFinished(job: id, summary))
    case .failed(let error):
      forget(id, link)
      message = .jobFailed(
        JobFailed(request: request, job: id.rawValue, code: error.code.rawValue, sentence: error.message))
    }
    send(message, on: link)
  }

  private mutating func forget(_ id: JobID, _ link: LinkID) {
    clients[link]?.jobs[id] = nil
    clients[link]?.attached[id] = nil
  }
}

extension JobRequest {
  /// A request as it came from a client.
  init(_ submission: Submit) {
    let prompt: Prompt =
      switch submission.prompt {
      case .tokens(let tokens): .tokens(tokens)
      case .text(let text): .text(text)
      }
    self.init(
      prompt: prompt, parameters: submission.sampling,
      maxTokens: submission.maxTokens == Self.unlimitedTokens ? nil : submission.maxTokens,
      ignoreEOS: submission.ignoresEOS, logitRows: submission.logitRows)
  }

  /// How "as many as the context holds" travels.
  static let unlimitedTokens = Int(UInt32.max)
}

extension JobFinished {
  /// A summary as it goes to a client, which has the tokens already.
  init(job: JobID, _ summary: JobSummary) {
    let timing = JobTiming(
      promptTokens: summary.promptTokens.count, completionTokens: summary.tokens.count,
      queued: Self.duration(summary.timing.queue), prefill: Self.duration(summary.timing.prefill),
      decode: Self.duration(summary.timing.decode))
    let reason: StopReason =
      switch summary.stopReason {
      case .stop: .endOfText
      case .length: .maxTokens
      case .cancelled: .cancelled
      }
    self.init(
      job: job.rawValue, stopReason: reason, stageCount: summary.stageCount, timing: timing, traffic: summary.wire.nodes
    )
  }

  /// Times may come from a journal that somebody has changed.
  private static func duration(_ seconds: Double) -> Duration {
    seconds.isFinite ? .seconds(min(max(seconds, 0), 1e9)) : .zero
  }
}
