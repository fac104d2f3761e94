import Cluster
import JobStore
import ModelSpec
import Scheduling
import Synchronization
import Tensors
import Transport
import Wire

@testable import Coordinator
@testable import Tokenization

/// A coordinator, fake workers and clients on one thread, with a clock that only moves when told to.
final class Lab {
  let network = InProcessNetwork()
  let model = FakeModel()
  let handle = CoordinatorHandle()
  let weights = FakeWeights()
  let local = FakeLocalNodes()
  let journal: FakeJournal
  let shell: CoordinatorShell
  private(set) var workers: [FakeWorker] = []
  private(set) var clients: [LabClient] = []
  let status = Recorder<CoordinatorStatus>()
  private(set) var now = ContinuousClock.now
  let places: [NodePlace]
  static let address = HostPort(host: "coordinator", port: 1)
  /// Of the coordinator's plane.
  static let name = "the coordinator"

  /// - Parameters:
  ///   - hosts: the host of each stage, by index of the node.
  ///   - spares: nodes without experts; the others have replicas of all.
  ///   - otherNodes: nodes that an edit may bring in; their workers run.
  ///   - configure: changes the configuration before anything starts.
  init(
    nodes: [NodeID] = ["reef"], hosts: [Int] = [0], sequences: Int = 4, context: Int = 256, prefillChunk: Int = 16,
    missing: Set<NodeID> = [], localNodes: Set<NodeID> = [], spares: Set<NodeID> = [], otherNodes: [NodeID] = [],
    placement: Placement? = nil, journal: FakeJournal = FakeJournal(),
    configure: (inout CoordinatorConfiguration) -> Void = { _ in }
  ) throws {
    self.journal = journal
    places = (nodes + otherNodes).enumerated().map { index, node in
      NodePlace(node, localNodes.contains(node) ? nil : Self.address(index))
    }
    var configuration = try Self.configuration(
      Array(places.prefix(nodes.count)), hosts: hosts, sequences: sequences, context: context,
      prefillChunk: prefillChunk, spares: spares, placement: placement)
    configure(&configuration)
    let plane = InProcessControlPlane(
      network: network, name: Self.name, address: Self.address, sink: handle.controlSink)
    let status = status
    shell = CoordinatorShell(
      handle: handle, configuration: configuration, plane: plane, weights: weights, local: local, journal: journal
    ) { status.record($0) }
    for node in nodes + otherNodes where !missing.contains(node) { startWorker(node) }
  }

  static func address(_ index: Int) -> HostPort { HostPort(host: "node", port: UInt16(7001 + index)) }

  /// Starts a worker, also again after its death.
  @discardableResult
  func startWorker(_ node: NodeID) -> FakeWorker {
    let index = places.firstIndex { $0.id == node } ?? 0
    let worker = FakeWorker(node, at: Self.address(index), network: network, model: model)
    worker.peer = { [weak self] in self?.worker($0) }
    workers.append(worker)
    return worker
  }

  /// Kills a worker, and with it the keys and values that it was host of.
  func kill(_ node: NodeID) {
    worker(node)?.die()
    workers.removeAll { $0.node == node }
    if let placement = shell.core?.running?.placement, let index = placement.index(of: node),
      placement.stages.contains(where: { $0.host == index })
    {
      model.loseKeyValues()
    }
  }

  /// What a topology with these nodes wishes for.
  func desired(
    _ placement: Placement, sequences: Int = 4, memory: [NodeID: Int] = [:], addresses: [NodeID: HostPort] = [:],
    source: String = ""
  ) -> DesiredCluster {
    let plans = placement.nodes.map { node in
      NodePlan(
        id: node, address: addresses[node] ?? places.first { $0.id == node }?.address, memoryBytes: memory[node])
    }
    return DesiredCluster(placement: placement, nodes: plans, sequences: sequences, source: Array(source.utf8))
  }

  /// Saves another topology.
  func edit(_ placement: Placement, memory: [NodeID: Int] = [:]) {
    handle.edited(.accepted(desired(placement, memory: memory)))
  }

  /// One layer for each stage; `experts` says which node has which of the four, by default all have all.
  static func placement(
    _ nodes: [NodeID], hosts: [Int], spares: Set<NodeID> = [], experts: [NodeID: [Range<Int>]]? = nil
  ) -> Placement {
    let holdings = nodes.indices.compactMap { index -> ExpertHolding? in
      let ranges = experts.map { $0[nodes[index]] ?? [] } ?? (spares.contains(nodes[index]) ? [] : [0..<4])
      return ranges.isEmpty ? nil : ExpertHolding(node: NodeIndex(index), experts: ExpertSet(ranges: ranges))
    }
    let stages = hosts.enumerated().map { index, host in
      StagePlacement(
        layers: LayerIndex(index)..<LayerIndex(index + 1), host: NodeIndex(host), experts: holdings)
    }
    return Placement(epoch: PlacementEpoch(rawValue: 0), nodes: nodes, stages: stages)
  }

  /// Bytes of every piece of the fake model.
  static let pieceBytes = 1 << 20

  static func configuration(
    _ nodes: [NodePlace], hosts: [Int], sequences: Int = 4, context: Int = 256, prefillChunk: Int = 16,
    spares: Set<NodeID> = [], placement: Placement? = nil
  ) throws -> CoordinatorConfiguration {
    let placement = placement ?? Self.placement(nodes.map(\.id), hosts: hosts, spares: spares)
    let plans = nodes.map { NodePlan(id: $0.id, address: $0.address, launch: $0.address == nil ? ["worker"] : nil) }
    let facts = ModelFacts(
      expertCounts: Array(repeating: 4, count: hosts.count), contextLength: 1024, outputUsesEmbedding: false)
    return CoordinatorConfiguration(
      cluster: ClusterID(high: 1, low: 2), term: CoordinatorTerm(rawValue: 1), numericsVersion: 1, software: "test",
      model: try modelPlan(facts),
      desired: DesiredCluster(placement: placement, nodes: plans, sequences: sequences),
      kvType: .f16, combine: .exact, context: context, prefillChunk: prefillChunk, subBatchRows: 64)
  }

  private static func modelPlan(_ facts: ModelFacts) throws -> ModelPlan {
    let zero = try zeroDigest()
    var pieces: [PieceID: PieceDescription] = [:]
    func add(_ piece: PieceID) {
      pieces[piece] = PieceDescription(piece: piece, byteCount: pieceBytes, digest: zero)
    }
    add(.embedding)
    add(.output)
    for layer in facts.layers {
      add(.trunk(layer))
      for expert in 0..<facts.expertCount(layer) { add(.expert(layer, ExpertIndex(expert))) }
    }
    let bytes = pieceBytes
    let sizes = ModelSizes(
      pieceBytes: { _ in bytes }, keyValueBytes: { _ in 64 }, hiddenSize: 32, queryWidth: 32, expertWidth: 32,
      expertsPerToken: 2, vocabularySize: FakeModel.vocabularySize)
    return ModelPlan(
      id: zero, header: PieceDescription(piece: .header, byteCount: 10, digest: zero), tokenizer: try tokenizer(),
      vocabularySize: FakeModel.vocabularySize, facts: facts, sizes: sizes, pieces: pieces)
  }

  /// Every byte is a token, and 256 ends an answer.
  static func tokenizer() throws -> Tokenizer {
    let alphabet = (UInt8.min...UInt8.max).map { String(decoding: ByteAlphabet.utf8(of: $0), as: UTF8.self) }
    var definition = TokenizerDefinition(
      model: "gpt2", preTokenizer: "qwen2", tokens: alphabet + ["<end>"], kinds: nil, merges: [])
    definition.kinds = definition.tokens.indices.map { $0 == 256 ? Int(TokenKind.control.rawValue) : 1 }
    definition.eos = 256
    return try Tokenizer(definition)
  }

  static func tokens(_ text: String) -> [TokenID] { text.utf8.map { TokenID(UInt32($0)) } }

  func worker(_ node: NodeID) -> FakeWorker? { workers.first { $0.node == node } }

  func submit(_ request: JobRequest) -> (JobID, Recorder<JobEvent>) {
    let recorder = Recorder<JobEvent>()
    return (handle.submit(request, sink: recorder.sink), recorder)
  }

  func addClient() -> LabClient {
    let client = LabClient(number: clients.count, network: network)
    clients.append(client)
    return client
  }

  func addRawClient(_ name: String = "raw") -> RawClient { RawClient(name, network: network) }

  func pass(_ duration: Duration) { now += duration }

  /// Lets time pass in small steps, with everybody at work.
  func pass(_ duration: Duration, by step: Duration) {
    let end = now + duration
    while now < end {
      now += step
      settle()
    }
  }

  /// Why the cluster is down.
  var failure: CoordinatorError? {
    for case .failed(let error) in status.elements { return error }
    return nil
  }

  var isReady: Bool { status.elements.contains { if case .ready = $0 { true } else { false } } }

  /// Epochs that were switched to.
  var epochs: [UInt32] {
    status.elements.compactMap { if case .switched(let epoch, _, _, _) = $0 { epoch.rawValue } else { nil } }
  }

  var topology: TopologyStatus? { shell.core?.topologyStatus(0) }

  /// One round of everybody; whether anything happened.
  @discardableResult
  func advance() -> Bool {
    var hasWorked = shell.advance(now: now)
    for worker in workers { hasWorked = worker.advance() || hasWorked }
    for client in clients { hasWorked = client.client.advance(now: now) || hasWorked }
    return hasWorked
  }

  /// Goes on until nothing happens any more, or `condition` holds; at most `rounds` rounds.
  func settle(rounds: Int = 20_000, until condition: () -> Bool = { false }) {
    for _ in 0..<rounds where !condition() {
      if !advance() { return }
    }
  }
}

/// A node and where it listens.
struct NodePlace {
  let id: NodeID
  let address: HostPort?

  init(_ id: NodeID, _ address: HostPort?) {
    self.id = id
    self.address = address
  }
}

/// A remote client.
final class LabClient {
  let plane: InProcessControlPlane
  let client: CoordinatorClient

  init(number: Int, network: InProcessNetwork) {
    let handle = CoordinatorClient.Handle()
    plane = InProcessControlPlane(network: network, name: "client \(number)", sink: handle.controlSink)
    client = CoordinatorClient(handle: handle, plane: plane, address: Lab.address, software: "test")
  }

  func submit(_ request: JobRequest) -> (JobID, Recorder<JobEvent>) {
    let recorder = Recorder<JobEvent>()
    return (client.handle.submit(request, sink: recorder.sink), recorder)
  }
}

/// A client that sends what it likes and keeps what it gets.
final class RawClient {
  private let inbox = Recorder<ControlEvent>()
  private let plane: InProcessControlPlane
  private let link: LinkID

  /// - Parameter name: of its plane, different for each client at a time.
  init(_ name: String, network: InProcessNetwork) {
    plane = InProcessControlPlane(network: network, name: name) { [inbox] in inbox.record($0) }
    link = plane.dial(Lab.address, timeout: .seconds(1))
    send(
      .hello(
        Hello(
          role: .client, numericsVersion: 0, cluster: ClusterID(high: 0, low: 0), term: CoordinatorTerm(rawValue: 0),
          node: "", software: "")))
  }

  func send(_ message: ControlMessage) {
    plane.send(message, epoch: PlacementEpoch(rawValue: 0), term: CoordinatorTerm(rawValue: 0), on: link)
  }

  func submit(_ text: String, request: UInt64 = 1, maxTokens: Int = 10) {
    send(
      .submit(
        Submit(
          request: request, prompt: .text(text), sampling: SamplingParameters(), maxTokens: maxTokens,
          ignoresEOS: false, isDurable: true)))
  }

  func leave() { plane.stop() }

  var isClosed: Bool { inbox.elements.contains { if case .closed = $0 { true } else { false } } }

  /// All that came, but the welcome.
  var messages: [ControlMessage] {
    inbox.elements.compactMap { event in
      guard case .received(_, _, let message) = event else { return nil }
      if case .welcome = message { return nil }
      return message
    }
  }

  /// Tokens of a job, as they came.
  func tokens(_ job: UInt64) -> [TokenID] {
    messages.flatMap { message in
      if case .tokens(let more) = message, more.job == job { more.tokens.map(\.token) } else { [TokenID]() }
    }
  }

  /// Text of a job, as it came.
  func text(_ job: UInt64) -> String {
    let bytes = messages.flatMap { message in
      if case .tokens(let more) = message, more.job == job { more.text } else { [UInt8]() }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Numbers of the jobs that were taken in, in order.
  var jobs: [UInt64] {
    messages.compactMap { if case .submitted(let answer) = $0 { answer.job } else { nil } }
  }

  func end(_ job: UInt64) -> JobFinished? {
    for case .finished(let end) in messages where end.job == job { return end }
    return nil
  }

  var failures: [JobFailed] {
    messages.compactMap { if case .jobFailed(let failure) = $0 { failure } else { nil } }
  }

  var lists: [JobList] { messages.compactMap { if case .jobList(let list) = $0 { list } else { nil } } }
}

/// Keeps what durable jobs must not lose, or does not.
final class FakeJournal: JobJournal {
  private(set) var entries: [JournalEntry] = []
  /// Topologies that were accepted, as text.
  private(set) var topologies: [String] = []
  private var waiting: [([JournalEntry], (JournalError?) -> Void)] = []
  /// What becomes of writes from now on.
  var error: JournalError?
  /// Writes wait for `release`.
  var isSlow = false

  func write(_ entries: [JournalEntry], done: @escaping @Sendable (JournalError?) -> Void) {
    waiting.append((entries, done))
    if !isSlow { release() }
  }

  func keepTopology(_ bytes: [UInt8]) { topologies.append(String(decoding: bytes, as: UTF8.self)) }
  func flush() { release() }

  func release() {
    let writes = waiting
    waiting = []
    for (entries, done) in writes {
      if error == nil { self.entries += entries }
      done(error)
    }
  }

  /// Tokens on disk of a job.
  func tokens(_ job: UInt64) -> [TokenID] {
    var tokens: [TokenID] = []
    for case .tokens(JobID(rawValue: job), let first, let more, _) in entries {
      tokens.removeSubrange(min(first, tokens.count)...)
      tokens += more
    }
    return tokens
  }
}

/// Keeps book of the workers that were started on this machine.
final class FakeLocalNodes: LocalNodes {
  enum Call: Hashable {
    case start(NodeID, [String])
    case stop(NodeID)
  }

  private(set) var calls: [Call] = []

  func start(_ node: NodeID, arguments: [String]) { calls.append(.start(node, arguments)) }
  func stop(_ node: NodeID) { calls.append(.stop(node)) }
}

/// Keeps book of who is served weights.
final class FakeWeights: WeightSupply {
  private(set) var served: [NodeID: HostPort] = [:]
  private(set) var stopped: [NodeID] = []
  var counters = TrafficCounters()

  func serve(_ node: NodeID, at address: HostPort) { served[node] = address }
  func stop(_ node: NodeID) { stopped.append(node) }
}

/// A digest of nothing in particular.
func zeroDigest() throws -> Digest {
  struct NoDigest: Error {}
  guard let digest = Digest(bytes: Array(repeating: 0, count: Digest.byteCount)) else { throw NoDigest() }
  return digest
}
