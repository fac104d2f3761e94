import Cluster
import Foundation
import GGUF
import Kernels
import Logging
import ModelSpec
import Scheduling
import ShardStore
import Synchronization
import Tensors
import Transport
import Wire

@testable import Worker

/// Workers of one process, driven inline, and what a coordinator needs to talk to them.
final class WorkerBench {
  static let model = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/qwen3moe-s/qwen3moe-s-Q8_0.gguf").path

  let network = InProcessNetwork()
  let spec: ModelSpec
  let manifest: PieceManifest
  let source: ModelFileSource
  /// What the workers think the time is.
  var now = ContinuousClock.now
  private(set) var workers: [Node] = []

  /// A worker and what it is made of.
  final class Node {
    let name: String
    let shell: WorkerShell
    let arena: WeightArena
    let mailbox: Mailbox<WorkerEvent>
    let control: InProcessControlPlane
    let data: InProcessDataPlane

    init(
      name: String, shell: WorkerShell, arena: WeightArena, mailbox: Mailbox<WorkerEvent>,
      control: InProcessControlPlane, data: InProcessDataPlane
    ) {
      self.name = name
      self.shell = shell
      self.arena = arena
      self.mailbox = mailbox
      self.control = control
      self.data = data
    }
  }

  init() throws {
    spec = try ModelSpec(file: GGUFFile.open(Self.model))
    let reader = try ModelPieceReader(spec: spec)
    manifest = try PieceManifest.build(spec: spec, reader: reader.reader)
    source = ModelFileSource(reader)
  }

  static func address(_ name: String) -> HostPort { HostPort(host: name, port: 7070) }

  /// Starts a worker.
  /// - Parameters:
  ///   - sources: where its weights come from; by default the model file.
  ///   - loader: by default one that loads at once.
  @discardableResult func start(
    _ name: String, memoryLimit: Int? = nil, sources: [any PieceSource]? = nil, store: ShardStore? = nil,
    loader: ((WeightArena) -> any ShareLoading)? = nil
  ) throws -> Node {
    let mailbox = Mailbox<WorkerEvent>(capacity: 4096)
    let control = InProcessControlPlane(network: network, name: name, address: Self.address(name)) { event in
      mailbox.post(.control(event))
    }
    let data = InProcessDataPlane(network: network, node: NodeID(name))
    let arena = WeightArena(limit: memoryLimit ?? .max)
    let all = sources ?? [source]
    let kernels = try Kernels.select()
    let shell = WorkerShell(
      configuration: WorkerConfiguration(
        name: NodeID(name), kernels: kernels, threads: 1, memoryLimit: memoryLimit, store: store),
      control: control, data: data,
      loader: loader?(arena)
        ?? ShareLoader(
          arena: arena, kernels: kernels, store: store, isInline: true, sources: { _ in all },
          warning: { _ in }),
      arena: arena, mailbox: mailbox, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let node = Node(name: name, shell: shell, arena: arena, mailbox: mailbox, control: control, data: data)
    workers.append(node)
    return node
  }

  /// Lets all workers work until there is nothing to do.
  func drive() {
    var isBusy = true
    while isBusy {
      isBusy = false
      for worker in workers where worker.shell.advance(now: now) { isBusy = true }
    }
  }

  // MARK: - Orders

  /// A placement; each stage is (layers, host, experts by node).
  func placement(
    _ epoch: UInt32, _ nodes: [NodeID], _ stages: [(Range<Int>, Int, [String])]
  ) -> Placement {
    Placement(
      epoch: PlacementEpoch(rawValue: epoch), nodes: nodes,
      stages: stages.map { layers, host, experts in
        StagePlacement(
          layers: LayerIndex(layers.lowerBound)..<LayerIndex(layers.upperBound), host: NodeIndex(host),
          experts: experts.enumerated().compactMap { node, text in
            guard let set = ExpertSet(parsing: text), !set.isEmpty else { return nil }
            return ExpertHolding(node: NodeIndex(node), experts: set)
          })
      })
  }

  /// Everything on one node.
  func single(_ epoch: UInt32 = 1, _ name: NodeID = "reef") -> Placement {
    placement(epoch, [name], [(0..<3, 0, ["0-7"])])
  }

  /// A node's order for a placement.
  func order(
    _ placement: Placement, for node: Int = 0, context: Int = 256, sequences: Int = 4, rows: Int = 16,
    model: Digest? = nil, addresses: [String]? = nil, moves: [KeyValueMove] = [],
    pieces change: ([PieceDescription]) -> [PieceDescription] = { $0 }
  ) -> Prepare {
    let own = placement.pieces(for: NodeIndex(node), facts: ModelFacts(spec)).compactMap { manifest.entry(for: $0) }
    return Prepare(
      model: model ?? manifest.modelID, headerDigest: manifest.header.digest,
      headerByteCount: manifest.header.byteCount, kvType: .f16, combine: .exact, context: context,
      sequences: sequences, subBatchRows: rows, node: NodeIndex(node), placement: placement,
      addresses: addresses ?? placement.nodes.map { "\(Self.address($0.rawValue))" },
      pieces: change(own.map { PieceDescription(piece: $0.id, byteCount: $0.byteCount, digest: $0.digest) }),
      moves: moves.filter { $0.source == NodeIndex(node) || $0.target == NodeIndex(node) })
  }
}

/// A coordinator that does as the test says.
final class ScriptedCoordinator {
  let bench: WorkerBench
  let name: String
  let cluster: ClusterID
  let term: CoordinatorTerm
  /// Epoch on the frames that are sent.
  var epoch = PlacementEpoch(rawValue: 1)
  private let control: InProcessControlPlane
  private let inbox = Mailbox<ControlEvent>(capacity: 65_536)
  private var received: [LinkID: [ControlMessage]] = [:]
  private var closed: Set<LinkID> = []

  init(_ bench: WorkerBench, _ name: String = "coordinator", cluster: UInt64 = 1, term: UInt32 = 1) {
    self.bench = bench
    self.name = name
    self.cluster = ClusterID(high: cluster, low: 7)
    self.term = CoordinatorTerm(rawValue: term)
    control = InProcessControlPlane(network: bench.network, name: name) { [inbox] event in inbox.post(event) }
  }

  func dial(_ worker: String) -> LinkID { control.dial(WorkerBench.address(worker), timeout: .seconds(1)) }
  func close(_ link: LinkID) { control.close(link) }

  /// Dials a worker and says hello.
  func greet(
    _ worker: String, role: PeerRole = .coordinator, numerics: UInt32 = Kernels.numericsVersion, as node: NodeID? = nil
  ) -> LinkID {
    let link = dial(worker)
    send(
      .hello(
        Hello(
          role: role, numericsVersion: numerics, cluster: cluster, term: term, node: node ?? NodeID(worker),
          software: "test")), on: link)
    bench.drive()
    return link
  }

  func send(_ message: ControlMessage, on link: LinkID, term other: UInt32? = nil) {
    control.send(message, epoch: epoch, term: other.map { CoordinatorTerm(rawValue: $0) } ?? term, on: link)
  }

  /// Sends a message and lets the workers work.
  /// - Returns: what came back on that link meanwhile.
  @discardableResult func ask(_ message: ControlMessage, on link: LinkID) -> [ControlMessage] {
    _ = take(link)
    send(message, on: link)
    bench.drive()
    return take(link)
  }

  /// What came on a link since the last call.
  func take(_ link: LinkID) -> [ControlMessage] {
    while let event = inbox.take() {
      switch event {
      case .opened: break
      case .received(let link, _, let message): received[link, default: []].append(message)
      case .closed(let link, _): closed.insert(link)
      }
    }
    return received.removeValue(forKey: link) ?? []
  }

  func isClosed(_ link: LinkID) -> Bool {
    let waiting = take(link)
    received[link] = waiting
    return closed.contains(link)
  }

  /// Prepares and activates a placement on all of its workers.
  /// - Returns: the messages of each link.
  @discardableResult func run(
    _ placement: Placement, on links: [LinkID], rows: Int = 16, moves: [KeyValueMove] = []
  ) -> [[ControlMessage]] {
    for (index, link) in links.enumerated() {
      send(.prepare(bench.order(placement, for: index, rows: rows, moves: moves)), on: link)
    }
    bench.drive()
    epoch = placement.epoch
    let activate = Activate(epoch: placement.epoch, movesKeyValues: !moves.isEmpty)
    for link in links { send(.activate(activate), on: link) }
    bench.drive()
    return links.map { take($0) }
  }

  /// Prefills a prompt and returns the last logits' bits, from whichever worker answers.
  func logits(
    _ step: UInt64, _ tokens: [TokenID], on links: [LinkID], released: [SequenceID] = [], sequence: UInt64? = nil,
    position: Int = 0
  ) -> [UInt32]? {
    let entry = StepEntry(
      sequence: SequenceID(rawValue: sequence ?? step), position: position, rowCount: tokens.count, tokens: tokens,
      wanted: .logits(rows: 2))
    let batch = StepBatch(id: StepID(rawValue: step), phase: .prefill, entries: [entry], released: released)
    send(.step(StepStart(batch: batch)), on: links[0])
    bench.drive()
    for message in links.flatMap({ take($0) }) {
      if case .stepResult(let outcome) = message, outcome.step == batch.id,
        case .logits(_, let values)? = outcome.results.first?.outcome
      {
        return values.map(\.bitPattern)
      }
    }
    return nil
  }
}

extension [ControlMessage] {
  /// Sentences of failed preparations.
  var prepareFailures: [String] {
    compactMap { if case .prepareFailed(let failure) = $0 { failure.sentence } else { nil } }
  }
  /// Sentences of failed steps.
  var stepFailures: [String] {
    compactMap { if case .stepFailed(let failure) = $0 { failure.sentence } else { nil } }
  }
  /// Those of steps that were only interrupted.
  var interruptions: [String] {
    compactMap { message in
      guard case .stepFailed(let failure) = message, failure.isInterrupted else { return nil }
      return failure.sentence
    }
  }
  /// Whether keys and values are there, of each activation.
  var activations: [Bool] {
    compactMap { if case .activated(let notice) = $0 { notice.hasKeyValues } else { nil } }
  }
  var unreachable: [PeerUnreachable] {
    compactMap { if case .peerUnreachable(let report) = $0 { report } else { nil } }
  }
  /// Sentences of refusals.
  var refusals: [String] { compactMap { if case .refuse(let refusal) = $0 { refusal.sentence } else { nil } } }
  var isPrepared: Bool { contains { if case .prepared = $0 { true } else { false } } }
  var isActivated: Bool { contains { if case .activated = $0 { true } else { false } } }
  var isWelcome: Bool { contains { if case .welcome = $0 { true } else { false } } }
  var bytesMoved: Int? {
    for case .prepared(let prepared) in self { return prepared.bytesMoved }
    return nil
  }
}

let prompt = (0..<40).map { TokenID(UInt32($0 * 37 % 700)) }
