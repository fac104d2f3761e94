public import Coordinator
import JobStore
import Synchronization
public import Tensors
import Transport
public import Wire

/// A client of coordinators that keep durable jobs: it submits, cancels, and listens to the jobs it wants to, across
/// lost connections.
public final class SimulatedClient {
  /// A durable job whose id was answered.
  public struct Answered {
    public let id: UInt64
    /// Which of the submissions it was.
    public let submission: Int
    /// What came of its answer.
    public internal(set) var tokens: [TokenID] = []
    public internal(set) var probabilityBits: [UInt32] = []
    /// How it ended; nil while it goes on.
    public internal(set) var end: End?
  }

  /// How a job ended.
  public enum End: Hashable, Sendable {
    case finished(StopReason)
    case failed(String)
  }

  /// The name it has in the network.
  public let name: String
  /// Jobs whose ids were answered.
  public private(set) var jobs: [UInt64: Answered] = [:]
  /// Why submissions were declined.
  public private(set) var declined: [Int: String] = [:]
  /// The last list of jobs that it asked for.
  public private(set) var list: [JobDescription] = []
  /// Jobs that were cancelled, and whose cancellation was answered.
  public private(set) var cancelled: Set<UInt64> = []
  private let plane: InProcessControlPlane
  private let events: Events
  private let listens: Bool
  private var link: LinkID?
  private var isGreeted = false
  private var submitted: [Int: JobRequest] = [:]
  /// Sent on this connection and not answered.
  private var open: Set<Int> = []
  private var wanted: Set<UInt64> = []
  private var wantsList = false

  /// Set in the numbers of its requests to listen.
  private static let attachBit: UInt64 = 1 << 40

  private final class Events: Sendable {
    let all = Mutex<[ControlEvent]>([])
  }

  /// - Parameter listens: whether it attaches to every job that it has submitted.
  init(_ name: String, network: InProcessNetwork, listens: Bool) {
    self.name = name
    self.listens = listens
    let events = Events()
    self.events = events
    plane = InProcessControlPlane(network: network, name: name) { event in
      events.all.withLock { $0.append(event) }
    }
  }

  /// Whether it is connected, or trying.
  public var isConnected: Bool { link != nil }

  /// Connects to the coordinator that there is, if it is not connected.
  public func connect() {
    guard link == nil else { return }
    link = plane.dial(SimulatedCoordinator.address, timeout: .seconds(1))
  }

  /// Asks for a job; what was not answered when a connection ends is not asked again.
  public func submit(_ number: Int, _ request: JobRequest) {
    submitted[number] = request
    open.insert(number)
    if isGreeted { send(number, request) }
  }

  /// Asks for the end of a job.
  public func cancel(_ job: UInt64) {
    guard isGreeted else { return }
    send(.cancelJob(CancelJob(request: job, job: job)))
  }

  /// Listens to a job from its first token on.
  public func attach(_ job: UInt64) {
    wanted.insert(job)
    if jobs[job] == nil { jobs[job] = Answered(id: job, submission: -1) }
    if isGreeted { sendAttach(job) }
  }

  /// Asks for all jobs.
  public func askForJobs() {
    wantsList = true
    if isGreeted { send(.jobsRequest(JobsRequest(request: 0))) }
  }

  func die() { plane.stop() }

  /// Takes in what has come. Whether there was anything.
  func advance() -> Bool {
    let new = events.all.withLock { events in
      defer { events = [] }
      return events
    }
    for event in new { take(event) }
    return !new.isEmpty
  }

  private func send(_ message: ControlMessage) {
    guard let link else { return }
    plane.send(message, epoch: PlacementEpoch(rawValue: 0), term: CoordinatorTerm(rawValue: 0), on: link)
  }

  private func send(_ number: Int, _ request: JobRequest) {
    guard case .tokens(let tokens) = request.prompt else { return }
    send(
      .submit(
        Submit(
          request: UInt64(number), prompt: .tokens(tokens), sampling: request.parameters,
          maxTokens: request.maxTokens ?? 1, ignoresEOS: request.ignoreEOS, isDurable: true)))
  }

  private func sendAttach(_ job: UInt64) {
    guard let known = jobs[job], known.end == nil else { return }
    send(.attach(Attach(request: Self.attachBit | job, job: job, tokenCount: known.tokens.count)))
  }

  private func take(_ event: ControlEvent) {
    switch event {
    case .opened(let opened, _) where opened == link:
      send(
        .hello(
          Hello(
            role: .client, numericsVersion: 0, cluster: ClusterID(high: 0, low: 0),
            term: CoordinatorTerm(rawValue: 0), node: "", software: "simulation")))
    case .received(let source, _, let message) where source == link: take(message)
    case .closed(let closed, _) where closed == link:
      link = nil
      isGreeted = false
      open = []
    default: break
    }
  }

  private func take(_ message: ControlMessage) {
    switch message {
    case .welcome:
      isGreeted = true
      for number in open.sorted() { if let request = submitted[number] { send(number, request) } }
      for job in wanted.sorted() { sendAttach(job) }
      if wantsList { askForJobs() }
    case .submitted(let answer):
      guard open.remove(Int(answer.request)) != nil, jobs[answer.job] == nil else { return }
      jobs[answer.job] = Answered(id: answer.job, submission: Int(answer.request))
      if listens { attach(answer.job) }
    case .tokens(let more):
      jobs[more.job]?.tokens += more.tokens.map(\.token)
      jobs[more.job]?.probabilityBits += more.tokens.map(\.logProbability.bitPattern)
    case .finished(let end): jobs[end.job]?.end = .finished(end.stopReason)
    case .jobFailed(let failure):
      if open.remove(Int(failure.request)) != nil, failure.job == 0 {
        declined[Int(failure.request)] = failure.sentence
      } else {
        jobs[failure.job == 0 ? failure.request & ~Self.attachBit : failure.job]?.end = .failed(failure.sentence)
      }
    case .jobList(let answer):
      if answer.request == 0 { list = answer.jobs }
      for job in answer.jobs where answer.request == job.job && job.state == .cancelled { cancelled.insert(job.job) }
    default: break
    }
  }
}
