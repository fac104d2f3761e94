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
  /// What was sampled last of each sequence, and at which position.
  private var sampled: [SequenceID: (position: Int, token: TokenID)] = [:]
  /// Tokens that end each sequence.
  private var endTokens: [SequenceID: Set<TokenID>] = [:]
  /// Steps that went on where nobody had what went before.
  private(set) var gaps = 0
  /// Steps that were run.
  private(set) var stepCount = 0
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

  /// A host is gone, and its keys and values with it.
  func loseKeyValues() { (caches, sampled) = ([:], [:]) }

  /// nil when the step goes on from a token that was not sampled.
  func run(_ batch: StepBatch) -> [StepResult]? {
    stepCount += 1
    for id in batch.released { (caches[id], sampled[id], endTokens[id]) = (nil, nil, nil) }
    let isReady = batch.entries.allSatisfy { sampled[$0.sequence]?.position == $0.position }
    guard batch.follows == nil || isReady else { return nil }
    return batch.entries.map { entry in
      if let opening = entry.opening { endTokens[entry.sequence] = opening.endTokens }
      var tokens = entry.tokens
      if batch.follows != nil, let token = sampled[entry.sequence]?.token {
        if endTokens[entry.sequence]?.contains(token) == true {
          return StepResult(sequence: entry.sequence, position: entry.position, outcome: .none)
        }
        tokens = [token]
      }
      var cache = caches[entry.sequence, default: []]
      if entry.position > cache.count { gaps += 1 }
      cache.removeSubrange(min(entry.position, cache.count)...)
      cache += tokens
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
      sampled[entry.sequence] = (cache.count, token)
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
  /// The other workers, by name; the one of the last stage answers steps.
  var peer: (NodeID) -> FakeWorker? = { _ in nil }
  private var link: LinkID?
  /// Placements that were prepared.
  private var prepared: [PlacementEpoch: Prepare] = [:]
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
  private var heldSteps: [(batch: StepBatch, epoch: PlacementEpoch)] = []
  /// Whether keys and values arrive that move here.
  var getsKeyValues = true
  var memoryBytes = 1 << 30
  var moved = TrafficCounters()
  /// What it says it has computed.
  private var worked = WorkTally()

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
        term = header.term
        answer(message, header.epoch)
      case .closed(let link, _) where link == self.link: self.link = nil
      default: break
      }
    }
    if !holdsSteps, !heldSteps.isEmpty {
      let steps = heldSteps
      heldSteps = []
      for step in steps { run(step.batch, step.epoch) }
      return true
    }
    return !events.isEmpty
  }

  /// Runs the first of the steps that are kept back.
  func runOneHeld() {
    guard !heldSteps.isEmpty else { return }
    let step = heldSteps.removeFirst()
    run(step.batch, step.epoch)
  }

  func send(_ message: ControlMessage) {
    if let link { plane.send(message, epoch: epoch, term: term, on: link) }
  }

  var isConnected: Bool { link != nil }

  /// The placements it was to prepare, in order.
  var prepares: [Prepare] { received.compactMap { if case .prepare(let prepare) = $0 { prepare } else { nil } } }

  private func answer(_ message: ControlMessage, _ messageEpoch: PlacementEpoch) {
    if case .prepare(let prepare) = message { prepared[prepare.placement.epoch] = prepare }
    if case .activate(let notice) = message { epoch = notice.epoch }
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
              instructionSet: "scalar", cores: 1, memoryBytes: memoryBytes, readBandwidth: 0, software: "test"),
            model: nil)))
    case .prepare(let prepare):
      let bytes = prepare.pieces.reduce(0) { $0 + $1.byteCount }
      send(
        .progress(
          Progress(
            epoch: prepare.placement.epoch, piecesDone: 1, piecesTotal: prepare.pieces.count, bytesDone: bytes / 2,
            bytesTotal: bytes, bytesMoved: bytes / 2)))
      send(.prepared(Prepared(epoch: prepare.placement.epoch, bytesMoved: bytes)))
    case .activate(let notice): send(.activated(Activated(epoch: notice.epoch, hasKeyValues: true)))
    case .moveKeyValues(let notice): moveKeyValues(notice.epoch)
    case .step(let start):
      if holdsSteps { heldSteps.append((start.batch, messageEpoch)) } else { run(start.batch, messageEpoch) }
    case .countersRequest:
      var counters = NodeCounters()
      counters.traffic = moved + plane.counters
      counters.traffic.roundTrips = 7
      // As if each reading had cost a microsecond.
      worked.times.experts += 1000
      worked.roundTrips = 7
      counters.decode = worked
      counters.peakMemoryBytes = 1 << 20
      send(.counters(counters))
    case .ping(let heartbeat): send(.pong(heartbeat))
    default: break
    }
  }

  private func moveKeyValues(_ epoch: PlacementEpoch) {
    guard let order = prepared[epoch] else { return }
    for move in order.moves where move.source == order.node {
      guard let target = peer(order.placement.nodes[move.target.rawValue]) else { continue }
      target.send(.activated(Activated(epoch: epoch, hasKeyValues: target.getsKeyValues)))
    }
  }

  /// Whether it has switched to a placement, and not lost it since.
  private func runs(_ epoch: PlacementEpoch) -> Bool { isConnected && self.epoch == epoch && prepared[epoch] != nil }

  private func run(_ batch: StepBatch, _ batchEpoch: PlacementEpoch) {
    guard batchEpoch == epoch, let order = prepared[epoch] else {
      return send(
        .stepFailed(StepFailed(step: batch.id, node: node, isInterrupted: true, sentence: "another placement runs")))
    }
    guard let last = order.placement.lastHost else { return }
    let name = order.placement.nodes[last.rawValue]
    guard let lastHost = name == node ? self : peer(name), lastHost.isConnected else { return }
    // A pass ends at the first host that is gone, or has come back with nothing.
    let hosts = order.placement.stages.map { order.placement.nodes[$0.host.rawValue] }
    guard hosts.allSatisfy({ $0 == node || peer($0)?.runs(epoch) == true }) else { return }
    guard let results = model.run(batch) else {
      return send(
        .stepFailed(StepFailed(step: batch.id, node: node, isInterrupted: true, sentence: "nothing to go on from")))
    }
    lastHost.send(lastHost.lie(StepOutcome(step: batch.id, results: results)))
  }
}
