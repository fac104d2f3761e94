import Cluster
import Scheduling
import Tensors
import Transport
import Wire

/// The coordinator without input and output: events and the time go in, directives come out.
///
/// It brings the nodes of one placement up (hello, prepare, activate), then runs the scheduler: steps go to the first
/// host, results come from the last one. Whatever a worker or client says is checked against what it was asked.
struct CoordinatorCore {
  enum Phase {
    /// Nodes are reached, greeted and told to prepare.
    case starting
    case preparing
    case activating
    case running
    /// The cluster is down for good; the error goes to every job.
    case failed(CoordinatorError)
    case stopped
  }

  /// Whom a link leads to.
  enum LinkOwner: Hashable {
    case node(Int)
    /// Someone who dialled; a client once it has said hello.
    case client
  }

  let configuration: CoordinatorConfiguration
  var phase = Phase.starting
  var nodes: [NodeState] = []
  var links: [LinkID: LinkOwner] = [:]
  var clients: [LinkID: ClientState] = [:]
  var scheduler: Scheduler
  var jobs: [JobID: JobState] = [:]
  /// When the steps in flight were started, and which sequences they are about.
  var steps: [StepID: StartedStep] = [:]
  /// The newest step that was started.
  var lastStep = StepID(rawValue: 0)
  var book: CountersBook
  var directives: [CoordinatorDirective] = []
  var clientJobCount: UInt64 = 0
  var nonce: UInt64 = 0

  struct StartedStep {
    let batch: StepBatch
    let startedAt: ContinuousClock.Instant
  }

  init(_ configuration: CoordinatorConfiguration, now: ContinuousClock.Instant) {
    self.configuration = configuration
    var limits = SchedulerConfiguration(
      stageCount: configuration.placement.stages.count, sequences: configuration.sequences,
      context: configuration.context, vocabularySize: configuration.model.vocabularySize,
      prefillChunk: configuration.prefillChunk)
    limits.prefillChunk = min(limits.prefillChunk, WireLimits.rows)
    scheduler = Scheduler(limits)
    book = CountersBook(nodeCount: configuration.nodes.count)
    let participants = Set(configuration.placement.participants)
    for (index, plan) in configuration.nodes.enumerated() {
      nodes.append(
        NodeState(
          index: NodeIndex(index), plan: plan, isSpare: !participants.contains(NodeIndex(index)), now: now,
          deadline: now + configuration.timeouts.reach))
    }
  }

  /// Begins to reach the nodes.
  mutating func start(now: ContinuousClock.Instant) -> [CoordinatorDirective] {
    for index in nodes.indices where nodes[index].address != nil && !nodes[index].isSpare { dial(index) }
    return takeDirectives()
  }

  /// Takes an event in and says what is to be done, in order.
  mutating func handle(_ event: CoordinatorEvent, now: ContinuousClock.Instant) -> [CoordinatorDirective] {
    if case .stopped = phase { return [] }
    switch event {
    case .control(let event): control(event, now: now)
    case .nodeListens(let node, let address): listens(node.rawValue, at: address)
    case .nodeEnded(let node, let error): ended(node.rawValue, error, now: now)
    case .submit(let job, let request): submit(job, request, owner: .local, now: now)
    case .cancel(let job): cancel(job, now: now)
    case .stop: stop(now: now)
    case .ownCounters(let counters): finishCounters(own: counters, now: now)
    case .tick: break
    }
    checkTimes(now: now)
    pump(now: now)
    return takeDirectives()
  }

  /// The link that a `dial` directive led to.
  mutating func dialed(_ node: NodeIndex, _ link: LinkID) {
    links[link] = .node(node.rawValue)
    nodes[node.rawValue].link = link
  }

  private mutating func takeDirectives() -> [CoordinatorDirective] {
    defer { directives.removeAll() }
    return directives
  }

  private mutating func control(_ event: ControlEvent, now: ContinuousClock.Instant) {
    switch event {
    case .opened(let link, _):
      switch links[link] {
      case .node(let node): opened(node, link, now: now)
      default: clientOpened(link, now: now)
      }
    case .received(let link, let header, let message):
      switch links[link] {
      case .node(let node): received(message, header, from: node, now: now)
      case .client: clientSent(message, link, now: now)
      case nil: break
      }
    case .closed(let link, let error):
      switch links.removeValue(forKey: link) {
      case .node(let node): closed(node, link, error, now: now)
      case .client: clientClosed(link, now: now)
      case nil: break
      }
    }
  }

  private mutating func stop(now: ContinuousClock.Instant) {
    let error = CoordinatorError(.stopped, "the coordinator is stopping")
    failJobs(error)
    for link in links.keys { directives.append(.close(link)) }
    for index in nodes.indices { stopServingWeights(index) }
    links = [:]
    phase = .stopped
  }

  var isStopped: Bool {
    if case .stopped = phase { true } else { false }
  }

  var isRunning: Bool {
    if case .running = phase { true } else { false }
  }

  /// Sends to a node that has a link.
  mutating func send(_ message: ControlMessage, toNode index: Int) {
    if let link = nodes[index].link { directives.append(.send(message, link)) }
  }

  mutating func note(_ text: String) { directives.append(.report(.note(text))) }
}
