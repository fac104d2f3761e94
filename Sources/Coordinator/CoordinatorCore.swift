import Cluster
import JobStore
import Scheduling
import Tensors
import Transport
import Wire

/// The coordinator without input and output: events and the time go in, directives come out.
///
/// It reaches the nodes, keeps the placement that runs as close to the one that is wished for as the nodes that are there
/// allow, and runs the scheduler: steps go to the first host, results come from the last one. Whatever a worker or client
/// says is checked against what it was asked.
struct CoordinatorCore {
  enum Phase {
    /// Nothing has run yet.
    case starting
    /// Something has run; whatever is lost from now on is made up for.
    case running
    /// A strict start failed; the error goes to every job.
    case failed(CoordinatorError)
    case stopped
  }

  /// Whom a link leads to.
  enum LinkOwner: Hashable {
    case node(NodeID)
    /// Someone who dialled; a client once it has said hello.
    case client
  }

  struct StartedStep {
    let batch: StepBatch
    /// When it was sent; for one that runs ahead, when the step before it was through.
    var startedAt: ContinuousClock.Instant
  }

  let configuration: CoordinatorConfiguration
  let startedAt: ContinuousClock.Instant
  /// What the transport counts of a node's connections; injected, as it changes without an event.
  var vitals: (NodeID, LinkID) -> NodeWatch.Sample? = { _, _ in nil }
  /// Bytes of weights that the coordinator's own connection to a node has carried; injected likewise.
  var weightsSent: (NodeID) -> UInt64 = { _ in 0 }
  var phase = Phase.starting
  var directives: [CoordinatorDirective] = []

  // Nodes and placements.
  var desired: DesiredCluster
  /// What is wrong with the last edit, if it was refused.
  var refusal: String?
  var nodes: [NodeID: NodeState] = [:]
  var running: RunningPlacement?
  var transition: PlacementTransition?
  /// Pairs of nodes that cannot reach each other, and until when that is believed.
  var apart: [NodePair: ContinuousClock.Instant] = [:]
  /// What is waited for; nil when what is wished for runs.
  var waitingFor: String?
  /// Until when a change that failed is not tried again while something runs.
  var pausedUntil: ContinuousClock.Instant?
  /// Something has happened after which another placement may be right.
  var mustPlan = true
  var epochCount: UInt32 = 0
  /// Until when keys and values are computed again rather than moved, after a link was too slow for them.
  var mayMoveAfter: ContinuousClock.Instant?
  /// The time for all nodes to come at the start is over.
  var hasWaited = false

  // Steps and jobs.
  var scheduler: Scheduler
  var steps: [StepID: StartedStep] = [:]
  /// The newest step that was started.
  var lastStep = StepID(rawValue: 0)
  var jobs: [JobID: JobState] = [:]
  var durable: DurableJobs
  var book = CountersBook()
  var speed = PrefillSpeed()
  var load: LoadBook

  // Links.
  var links: [LinkID: LinkOwner] = [:]
  var clients: [LinkID: ClientState] = [:]
  var clientJobCount: UInt64 = 0
  var nonce: UInt64 = 0

  init(_ configuration: CoordinatorConfiguration, now: ContinuousClock.Instant) {
    self.configuration = configuration
    startedAt = now
    desired = configuration.desired
    refusal = configuration.refusal
    var limits = SchedulerConfiguration(
      stageCount: configuration.desired.placement.stages.count, sequences: configuration.desired.sequences,
      context: configuration.context, vocabularySize: configuration.model.vocabularySize,
      prefillChunk: configuration.prefillChunk)
    limits.prefillChunk = min(limits.prefillChunk, WireLimits.rows)
    scheduler = Scheduler(limits)
    load = LoadBook(configuration.model.facts)
    durable = DurableJobs(nextJob: configuration.nextJob)
    for plan in configuration.desired.nodes {
      nodes[plan.id] = NodeState(plan: plan, limits: configuration.timeouts.watch, now: now)
    }
  }

  /// Begins to reach the nodes, and takes up the jobs of an earlier start.
  mutating func start(now: ContinuousClock.Instant) -> [CoordinatorDirective] {
    for node in nodes.keys.sorted() { bringUp(node) }
    restoreJobs(now: now)
    return takeDirectives()
  }

  /// Takes an event in and says what is to be done, in order.
  mutating func handle(_ event: CoordinatorEvent, now: ContinuousClock.Instant) -> [CoordinatorDirective] {
    if case .stopped = phase { return [] }
    switch event {
    case .control(let event): control(event, now: now)
    case .nodeListens(let node, let address): listens(node, at: address)
    case .nodeEnded(let node, let error): ended(node, error, now: now)
    case .submit(let job, let request): submit(job, request, listener: .local, now: now)
    case .cancel(let job): cancel(job, now: now)
    case .stop: stop(now: now)
    case .ownCounters(let counters): finishCounters(own: counters, now: now)
    case .edited(let edit): edited(edit, now: now)
    case .journaled(let ticket, let error): journaled(ticket, error, now: now)
    case .tick: break
    }
    checkTimes(now: now)
    plan(now: now)
    advanceTransition(now: now)
    pump(now: now)
    return takeDirectives()
  }

  /// The link that a `dial` directive led to.
  mutating func dialed(_ node: NodeID, _ link: LinkID) {
    links[link] = .node(node)
    nodes[node]?.link = link
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
    checkpoint(now: now)
    failJobs(CoordinatorError(.stopped, "the coordinator is stopping"))
    for link in links.keys.sorted() { directives.append(.close(link)) }
    for node in nodes.keys.sorted() { stopServingWeights(node) }
    links = [:]
    phase = .stopped
  }

  var isStopped: Bool {
    if case .stopped = phase { true } else { false }
  }

  /// Whether steps may be started.
  var canStep: Bool {
    guard let running, !running.isBroken, case .running = phase else { return false }
    return transition?.quietSince == nil
  }

  /// Of the placement that runs; 0 when none does.
  var epoch: PlacementEpoch { running?.epoch ?? PlacementEpoch(rawValue: 0) }

  /// Sends to a node that has a link.
  mutating func send(_ message: ControlMessage, to node: NodeID) {
    if let link = nodes[node]?.link { directives.append(.send(message, epoch, link)) }
  }

  /// Sends to a client.
  mutating func send(_ message: ControlMessage, on link: LinkID) {
    directives.append(.send(message, PlacementEpoch(rawValue: 0), link))
  }

  mutating func note(_ text: String) { directives.append(.report(.note(text))) }
}
