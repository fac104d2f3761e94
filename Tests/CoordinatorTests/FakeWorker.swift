import Cluster
import Scheduling
import Tensors
import Transport
import Wire

/// What all fake workers compute together: the token after a history is any function of all of it.
final class FakeModel {
  static let vocabularySize = 257
  static let end: TokenID = 256
  private(set) var caches: [SequenceID: [TokenID]] = [:]
  /// The answer of a prompt whose first token is this one ends after so many tokens.
  var lengths: [TokenID: Int] = [:]

  static func token(after history: [TokenID]) -> TokenID {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for token in history { hash = (hash ^ UInt64(token.rawValue)) &* 0x100_0000_01B3 }
    return TokenID(UInt32(0x61 + (hash >> 17) % 26))
  }

  /// The tokens that a prompt leads to when nothing ends them.
  static func answer(to prompt: [TokenID], count: Int) -> [TokenID] {
    var history = prompt
    for _ in 0..<count { history.append(token(after: history)) }
    return Array(history.dropFirst(prompt.count))
  }

  func run(_ batch: StepBatch) -> [StepResult] {
    for id in batch.released { caches[id] = nil }
    return batch.entries.map { entry in
      var cache = caches[entry.sequence, default: []]
      cache.removeSubrange(min(entry.position, cache.count)...)
      cache += entry.tokens
      caches[entry.sequence] = cache
      return result(entry, cache)
    }
  }

  private func result(_ entry: StepEntry, _ cache: [TokenID]) -> StepResult {
    switch entry.wanted {
    case .nothing:
      return StepResult(sequence: entry.sequence, position: cache.count - 1, outcome: .none)
    case .logits(let rows):
      let values = (cache.count - rows..<cache.count).flatMap {
        Array(repeating: Float($0), count: Self.vocabularySize)
      }
      return StepResult(
        sequence: entry.sequence, position: cache.count - 1, outcome: .logits(rows: rows, values: values))
    case .token:
      var token = Self.token(after: cache)
      if let first = cache.first, let length = lengths[first], cache.count >= length { token = Self.end }
      return StepResult(
        sequence: entry.sequence, position: cache.count, outcome: .token(token, logProbability: -0.5))
    }
  }
}

/// A worker that follows the protocol without computing anything; tests bend its behaviour.
final class FakeWorker {
  let node: NodeID
  private let plane: any ControlPlane
  private let inbox = Recorder<ControlEvent>()
  private let model: FakeModel
  /// The worker of the last stage, which answers steps.
  weak var lastHost: FakeWorker?
  private var link: LinkID?
  private(set) var received: [ControlMessage] = []
  var epoch = PlacementEpoch(rawValue: 1)
  var term = CoordinatorTerm(rawValue: 1)
  var numericsVersion: UInt32 = 1
  /// What it sends instead of its usual answer; nil: the usual one.
  var bend: (ControlMessage) -> [ControlMessage]? = { _ in nil }
  /// Changes what it says of a step.
  var lie: (StepOutcome) -> ControlMessage = { .stepResult($0) }
  /// Steps are kept back instead of run.
  var holdsSteps = false
  private var heldSteps: [StepBatch] = []
  var moved = TrafficCounters()

  /// - Parameter makePlane: makes the plane whose events go to the sink.
  init(_ node: NodeID, model: FakeModel, makePlane: (@escaping ControlSink) -> any ControlPlane) {
    self.node = node
    self.model = model
    plane = makePlane { [inbox] in inbox.record($0) }
  }

  convenience init(_ node: NodeID, at address: HostPort, network: InProcessNetwork, model: FakeModel) {
    self.init(node, model: model) {
      InProcessControlPlane(network: network, name: node.rawValue, address: address, sink: $0)
    }
  }

  func die() { (plane as? InProcessControlPlane)?.stop() }

  /// Handles what has come; whether there was anything.
  func advance() -> Bool {
    let events = inbox.drain()
    for event in events {
      switch event {
      case .opened(let link, _): self.link = link
      case .received(let link, let header, let message) where link == self.link:
        received.append(message)
        if case .prepare = message { (epoch, term) = (header.epoch, header.term) }
        answer(message)
      case .closed(let link, _) where link == self.link: self.link = nil
      default: break
      }
    }
    if !holdsSteps, !heldSteps.isEmpty {
      let steps = heldSteps
      heldSteps = []
      for step in steps { run(step) }
      return true
    }
    return !events.isEmpty
  }

  func send(_ message: ControlMessage) {
    if let link { plane.send(message, epoch: epoch, term: term, on: link) }
  }

  private func answer(_ message: ControlMessage) {
    if let bent = bend(message) {
      for message in bent { send(message) }
      return
    }
    switch message {
    case .hello:
      send(
        .welcome(
          Welcome(
            numericsVersion: numericsVersion, node: node,
            capabilities: NodeCapabilities(
              instructionSet: "scalar", cores: 1, memoryBytes: 1 << 30, readBandwidth: 0, software: "test"),
            model: nil)))
    case .prepare(let prepare):
      let bytes = prepare.pieces.reduce(0) { $0 + $1.byteCount }
      send(
        .progress(
          Progress(
            epoch: prepare.placement.epoch, piecesDone: 1, piecesTotal: prepare.pieces.count, bytesDone: bytes / 2,
            bytesTotal: bytes, bytesMoved: bytes / 2)))
      send(.prepared(Prepared(epoch: prepare.placement.epoch, bytesMoved: bytes)))
    case .activate(let notice): send(.activated(notice))
    case .step(let start): if holdsSteps { heldSteps.append(start.batch) } else { run(start.batch) }
    case .countersRequest:
      var counters = moved + plane.counters
      counters.roundTrips = 7
      send(.counters(counters))
    case .ping(let heartbeat): send(.pong(heartbeat))
    default: break
    }
  }

  private func run(_ batch: StepBatch) {
    let outcome = StepOutcome(step: batch.id, results: model.run(batch))
    guard let lastHost else { return }
    lastHost.send(lastHost.lie(outcome))
  }
}
