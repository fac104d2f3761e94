import JobStore
import Scheduling
import Tensors
import Transport
import Wire

/// The client side of a coordinator, without input and output.
struct ClientCore {
  enum Directive {
    case send(ControlMessage, LinkID)
    case close(LinkID)
    case deliver(JobEvent, JobID)
  }

  /// What has come of a job so far.
  private struct Job {
    let request: JobRequest
    /// The coordinator's number for it; nil until it is accepted.
    var remote: UInt64?
    var answer = ReceivedAnswer()
    var isCancelled = false
  }

  let address: HostPort
  let software: String
  let timeout: Duration
  private var link: LinkID?
  private var isGreeted = false
  private var failure: CoordinatorError?
  private var jobs: [JobID: Job] = [:]
  private var accepted: [UInt64: JobID] = [:]
  private(set) var deadline: ContinuousClock.Instant?
  private var directives: [Directive] = []

  init(address: HostPort, software: String, timeout: Duration) {
    self.address = address
    self.software = software
    self.timeout = timeout
  }

  var hasStarted: Bool { link != nil || failure != nil }
  var isStopped: Bool { failure != nil }

  mutating func dialed(_ link: LinkID, now: ContinuousClock.Instant) {
    self.link = link
    deadline = now + timeout
  }

  mutating func control(_ event: ControlEvent, now: ContinuousClock.Instant) -> [Directive] {
    switch event {
    case .opened(let opened, _) where opened == link:
      let hello = Hello(
        role: .client, numericsVersion: 0, cluster: ClusterID(high: 0, low: 0), term: .init(rawValue: 0), node: "",
        software: software)
      directives.append(.send(.hello(hello), opened))
    case .received(let source, _, let message) where source == link: received(message)
    case .closed(let closed, let error) where closed == link:
      let reason = error.map { "\($0)" } ?? "it closed the connection"
      let what = isGreeted ? "was lost" : "cannot be reached"
      link = nil
      lose(CoordinatorError(.unreachable, "the coordinator at \(address) \(what): \(reason)"))
    default: break
    }
    return take()
  }

  mutating func submit(_ id: JobID, _ request: JobRequest) -> [Directive] {
    if let failure {
      directives.append(.deliver(.failed(failure), id))
    } else {
      jobs[id] = Job(request: request)
      if isGreeted { send(id, request) }
    }
    return take()
  }

  mutating func cancel(_ id: JobID) -> [Directive] {
    guard var job = jobs[id], let link else { return [] }
    job.isCancelled = true
    jobs[id] = job
    if let remote = job.remote { directives.append(.send(.cancel(Cancel(job: remote)), link)) }
    return take()
  }

  mutating func timedOut() -> [Directive] {
    fail(
      CoordinatorError(
        .unreachable, "the coordinator at \(address) did not answer within \(Int(timeout.seconds)) seconds"))
  }

  /// Gives up: all jobs fail.
  mutating func fail(_ error: CoordinatorError) -> [Directive] {
    lose(error)
    return take()
  }

  private mutating func lose(_ error: CoordinatorError) {
    guard failure == nil else { return }
    failure = error
    deadline = nil
    if let link { directives.append(.close(link)) }
    for id in jobs.keys.sorted() { directives.append(.deliver(.failed(error), id)) }
    jobs = [:]
    accepted = [:]
  }

  private mutating func take() -> [Directive] {
    defer { directives = [] }
    return directives
  }

  private mutating func send(_ id: JobID, _ request: JobRequest) {
    guard let link else { return }
    let prompt: WirePrompt =
      switch request.prompt {
      case .text(let text): .text(text)
      case .tokens(let tokens): .tokens(tokens)
      }
    let submission = Submit(
      request: id.rawValue, prompt: prompt, sampling: request.parameters,
      maxTokens: request.maxTokens ?? JobRequest.unlimitedTokens, ignoresEOS: request.ignoreEOS,
      logitRows: request.logitRows)
    directives.append(.send(.submit(submission), link))
  }

  private mutating func received(_ message: ControlMessage) {
    switch message {
    case .welcome:
      isGreeted = true
      deadline = nil
      for id in jobs.keys.sorted() { if let job = jobs[id] { send(id, job.request) } }
    case .refuse(let refusal):
      lose(CoordinatorError(.refused, "the coordinator at \(address) refused: \(refusal.sentence)"))
    case .submitted(let answer): started(answer)
    case .tokens(let tokens): grew(tokens)
    case .logits(let logits):
      guard let id = accepted[logits.job] else { return }
      directives.append(
        .deliver(.logits(first: logits.position, rows: logits.rows, values: logits.values), id))
    case .finished(let end): finished(end)
    case .jobFailed(let failure): failed(failure)
    case .ping(let heartbeat):
      if let link { directives.append(.send(.pong(heartbeat), link)) }
    case .pong: break
    default:
      lose(
        CoordinatorError(
          .badAnswer, "what answers at \(address) is no coordinator: it sent a \(message.type) message"))
    }
  }

  private mutating func started(_ answer: Submitted) {
    let id = JobID(rawValue: answer.request)
    guard var job = jobs[id], job.remote == nil, let link else { return }
    job.remote = answer.job
    let event = job.answer.begin(answer)
    jobs[id] = job
    accepted[answer.job] = id
    directives.append(.deliver(event, id))
    if job.isCancelled { directives.append(.send(.cancel(Cancel(job: answer.job)), link)) }
  }

  private mutating func grew(_ message: GeneratedTokens) {
    guard let id = accepted[message.job], var job = jobs[id] else { return }
    let event = job.answer.grow(message)
    jobs[id] = job
    directives.append(.deliver(event, id))
  }

  private mutating func finished(_ end: JobFinished) {
    guard let id = accepted.removeValue(forKey: end.job), let job = jobs.removeValue(forKey: id) else { return }
    directives.append(.deliver(.finished(job.answer.summary(end)), id))
  }

  private mutating func failed(_ failure: JobFailed) {
    guard let id = accepted.removeValue(forKey: failure.job) ?? waiting(failure.request) else { return }
    jobs[id] = nil
    let code = CoordinatorError.Code(rawValue: failure.code) ?? .badAnswer
    directives.append(.deliver(.failed(CoordinatorError(code, failure.sentence)), id))
  }

  private func waiting(_ request: UInt64) -> JobID? {
    let id = JobID(rawValue: request)
    return jobs[id] != nil && jobs[id]?.remote == nil ? id : nil
  }
}

extension EndReason {
  /// As it came from a coordinator.
  init(_ reason: StopReason) {
    switch reason {
    case .endOfText: self = .stop
    case .maxTokens, .contextFull, .logitsDone: self = .length
    case .cancelled: self = .cancelled
    }
  }
}
