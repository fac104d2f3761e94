public import Coordinator
import JobStore
import Cluster
import Kernels
import Tensors

/// A simulated cluster to which a schedule happens.
public final class ElasticRun {
  /// What it is about.
  public let schedule: ElasticSchedule
  public let cluster: SimulatedCluster
  /// Submits the durable jobs and listens to some of them.
  public let client: SimulatedClient
  /// Ordinary jobs with their submissions; those of a coordinator that was killed are gone.
  public private(set) var ordinary: [Int: SimulatedJob] = [:]
  /// The request of each submission.
  public private(set) var requestOfSubmission: [Int: Int] = [:]
  /// Submissions that somebody wanted to cancel.
  public private(set) var cancelled: Set<Int> = []
  private let requests: [JobRequest]
  private var parted: Set<Set<NodeID>> = []
  private var partedFromCoordinator: Set<NodeID> = []
  private var term: UInt32 = 1

  /// - Parameter prepare: changes the cluster before anything happens, for tests of the tests.
  public init(
    _ schedule: ElasticSchedule, _ model: SimulatedModel, _ requests: [JobRequest],
    prepare: (SimulatedCluster) -> Void = { _ in }
  ) throws {
    self.schedule = schedule
    self.requests = requests
    var options = SimulationOptions(seed: schedule.seed, placement: schedule.placement)
    options.otherNodes = schedule.nodes.filter { schedule.placement.index(of: $0) == nil }
    options.kernels = [.avx2, .scalar]
    options.sequences = schedule.sequences
    options.prefillChunk = schedule.prefillChunk
    options.subBatchRows = schedule.subBatchRows
    options.context = 128
    options.bringUp = .patient
    options.isDurable = true
    options.weights = .simulatedStores
    options.timeouts = Self.timeouts
    options.faults = .timed(.microseconds(20)...(.microseconds(schedule.latency)))
    options.faults.spike = schedule.spike
    options.faults.drop = schedule.drop
    options.faults.duplicate = schedule.duplicate
    options.faults.cut = schedule.cut
    cluster = try SimulatedCluster(model, options)
    client = cluster.startClient(listens: schedule.seed % 2 == 0)
    prepare(cluster)
  }

  /// Shorter than in life, where an hour is not simulated a thousand times.
  private static var timeouts: CoordinatorTimeouts {
    var timeouts = CoordinatorTimeouts()
    timeouts.reach = .seconds(2)
    timeouts.mistrust = .seconds(2)
    timeouts.prepare = .seconds(8)
    timeouts.drain = .milliseconds(300)
    timeouts.activate = .seconds(4)
    timeouts.step = .seconds(10)
    timeouts.watch.hang = .seconds(3)
    timeouts.checkpoint = .milliseconds(20)
    return timeouts
  }

  /// How long a cluster without faults may take to have done all.
  public static let patience = Duration.seconds(300)

  /// Lets everything happen, then ends all faults and waits until all is quiet.
  /// - Parameter isQuiet: whether nothing is left to be done.
  /// - Returns: whether that came to be.
  public func run(until isQuiet: (ElasticRun) -> Bool) throws -> Bool {
    for (index, moment) in schedule.moments.enumerated() {
      if coordinator != nil { client.connect() }
      try cluster.live(until: cluster.elapsed + .milliseconds(moment.pause), turns: moment.turns)
      try happen(moment.event, index)
    }
    try heal()
    return try cluster.settle(by: cluster.elapsed + Self.patience) {
      client.connect()
      return isQuiet(self)
    }
  }

  /// The coordinator that lives.
  public var coordinator: SimulatedCoordinator? { cluster.coordinators.last }

  private func happen(_ event: ElasticEvent, _ index: Int) throws {
    switch event {
    case .submit(let request, let isDurable): submit(request, isDurable, requestOfSubmission.count + 1)
    case .cancel(let submission): cancel(submission + 1)
    case .edit(let placement, let sequences):
      if coordinator != nil { cluster.edit(placement, sequences: sequences) }
    case .wrongEdit: if coordinator != nil { cluster.refuseEdit("line 3 is wrong") }
    case .kill(let node): cluster.kill(node)
    case .start(let node, let keepsStore):
      if cluster.worker(node) == nil { try cluster.startWorker(node, keepsStore: keepsStore) }
    case .hang(let node): if cluster.worker(node) != nil { cluster.hang(node) }
    case .resume(let node): cluster.resume(node)
    case .cut(let node, let other): if let name = name(other) { cluster.cut(node.rawValue, name) }
    case .part(let node, let other): part(node, other)
    case .heal(let node, let other): heal(node, other)
    case .stall(let node, let other, let time):
      if let name = name(other) { cluster.stall(node.rawValue, name, for: .milliseconds(time)) }
    case .crash(let keep):
      guard coordinator != nil else { return }
      cluster.killCoordinator()
      cluster.state.crash(keep: keep)
      for (submission, job) in ordinary where !job.hasEnded { ordinary[submission] = nil }
    case .restart: restart()
    }
  }

  private func name(_ node: NodeID?) -> String? { node.map(\.rawValue) ?? coordinator?.name }

  private func submit(_ request: Int, _ isDurable: Bool, _ submission: Int) {
    requestOfSubmission[submission] = request
    guard coordinator != nil else { return }
    if isDurable {
      client.submit(submission, requests[request])
    } else {
      ordinary[submission] = cluster.submit(requests[request])
    }
  }

  private func cancel(_ submission: Int) {
    if let job = ordinary[submission], job.coordinator == coordinator?.name {
      cluster.cancel(job)
      cancelled.insert(submission)
    } else if let job = client.jobs.values.first(where: { $0.submission == submission }) {
      client.cancel(job.id)
      cancelled.insert(submission)
    }
  }

  private func part(_ node: NodeID, _ other: NodeID?) {
    guard let other else {
      partedFromCoordinator.insert(node)
      if let coordinator { cluster.cut(coordinator.name, node.rawValue, keepApart: true) }
      return
    }
    parted.insert([node, other])
    cluster.cut(node.rawValue, other.rawValue, keepApart: true)
  }

  private func heal(_ node: NodeID, _ other: NodeID?) {
    guard let other else {
      partedFromCoordinator.remove(node)
      if let coordinator { cluster.heal(coordinator.name, node.rawValue) }
      return
    }
    parted.remove([node, other])
    cluster.heal(node.rawValue, other.rawValue)
  }

  private func restart() {
    guard coordinator == nil else { return }
    term += 1
    cluster.startCoordinator(term: term)
    for node in partedFromCoordinator.sorted() {
      if let coordinator { cluster.cut(coordinator.name, node.rawValue, keepApart: true) }
    }
  }

  /// Ends all faults, and starts whatever is not running.
  private func heal() throws {
    cluster.faults = .timed(.microseconds(20)...(.microseconds(200)))
    cluster.endStalls()
    for pair in parted { let names = pair.sorted(); cluster.heal(names[0].rawValue, names[1].rawValue) }
    for node in partedFromCoordinator.sorted() { if let coordinator { cluster.heal(coordinator.name, node.rawValue) } }
    parted = []
    partedFromCoordinator = []
    for node in schedule.nodes {
      cluster.resume(node)
      if cluster.worker(node) == nil { try cluster.startWorker(node) }
    }
    restart()
  }
}
