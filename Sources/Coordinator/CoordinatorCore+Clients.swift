import Scheduling
import Tensors
import Transport
import Wire

/// A remote client.
struct ClientState {
  /// When it has said hello at the latest; nil once it has.
  var greetingDeadline: ContinuousClock.Instant?
  /// Its jobs, with its own numbers for them.
  var jobs: [JobID: UInt64] = [:]

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
      directives.append(
        .send(.refuse(Refuse(code: CoordinatorError.Code.busy.rawValue, sentence: "too many clients")), link))
      return directives.append(.close(link))
    }
    links[link] = .client
    clients[link] = ClientState(greetingDeadline: now + configuration.timeouts.greeting)
  }

  mutating func clientClosed(_ link: LinkID, now: ContinuousClock.Instant) {
    guard let client = clients.removeValue(forKey: link) else { return }
    for job in client.jobs.keys.sorted() { cancel(job, now: now) }
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
    case .ping(let heartbeat): directives.append(.send(.pong(heartbeat), link))
    case .pong: break
    default: drop(link, "a client does not send \(message.type) messages", now: now)
    }
  }

  private mutating func greeted(_ hello: Hello, _ link: LinkID) {
    guard hello.role == .client else {
      let sentence =
        "this is a coordinator (cluster \(configuration.cluster), numerics version "
        + "\(configuration.numericsVersion)); a coordinator connects to workers: check the address"
      directives.append(
        .send(.refuse(Refuse(code: CoordinatorError.Code.refused.rawValue, sentence: sentence)), link))
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
    directives.append(.send(.welcome(welcome), link))
  }

  /// Tells a client what it did wrong and closes its link.
  mutating func drop(_ link: LinkID, _ reason: String, now: ContinuousClock.Instant) {
    directives.append(
      .send(.refuse(Refuse(code: CoordinatorError.Code.badRequest.rawValue, sentence: reason)), link))
    directives.append(.close(link))
    links[link] = nil
    clientClosed(link, now: now)
  }

  private mutating func submitted(_ submission: Submit, _ link: LinkID, now: ContinuousClock.Instant) {
    clientJobCount += 1
    // Jobs of this process count from 1; those of clients are kept apart from them.
    let id = JobID(rawValue: 1 << 48 | clientJobCount)
    guard let client = clients[link], client.jobs.count < ClientState.jobLimit else {
      let failure = JobFailed(
        request: submission.request, job: 0, code: CoordinatorError.Code.busy.rawValue,
        sentence: "one client may run \(ClientState.jobLimit) jobs at a time")
      return directives.append(.send(.jobFailed(failure), link))
    }
    clients[link]?.jobs[id] = submission.request
    submit(id, JobRequest(submission), owner: .client(link), now: now)
  }

  /// A job's event as a message to its client.
  mutating func tellClient(_ event: JobEvent, _ id: JobID, _ link: LinkID) {
    guard let request = clients[link]?.jobs[id] else { return }
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
      clients[link]?.jobs[id] = nil
      message = .finished(JobFinished(job: id, summary))
    case .failed(let error):
      clients[link]?.jobs[id] = nil
      message = .jobFailed(
        JobFailed(request: request, job: id.rawValue, code: error.code.rawValue, sentence: error.message))
    }
    directives.append(.send(message, link))
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
      queued: .seconds(summary.timing.queue), prefill: .seconds(summary.timing.prefill),
      decode: .seconds(summary.timing.decode))
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
}
