import Cluster
import ClusterTestKit
import Coordinator
import Kernels
import Scheduling
import Synchronization
import Tensors
import Testing
import Wire

/// Workers under a coordinator that sends orders and steps which make no sense: they say so and live on.
@Suite struct HostileCoordinatorTests {
  @Test(
    "steps that make no sense: no trap, no hang, and the next coordinator is served as ever", arguments: Seeds.upTo(20),
    [false, true])
  func steps(seed: UInt64, oneStage: Bool) throws {
    let (cluster, jobs) = try FaultTests.midway(seed: seed, oneStage: oneStage)
    let random = Mutex(SeededRandom(seed: seed))
    cluster.coordinator.tampering.setMessageChange { message in
      guard case .step(let start) = message else { return [message] }
      return random.withLock { random in
        guard random.chance(0.5) else { return [message] }
        let batch = Self.change(start.batch, &random)
        return random.chance(0.1)
          ? [.step(StepStart(batch: batch)), message] : [.step(StepStart(batch: batch))]
      }
    }
    jobs.forEach { _ in cluster.submit(Models.requests[0]) }
    try cluster.run()
    #expect(cluster.jobs.allSatisfy { $0.hasEnded })
    try expectServed(cluster)
  }

  @Test("orders that make no sense: refused, and the next coordinator is served as ever", arguments: Seeds.upTo(20))
  func orders(seed: UInt64) throws {
    let model = try Models.small.get()
    let cluster = try SimulatedCluster(model, Models.threeNodes(model, seed: seed))
    let random = Mutex(SeededRandom(seed: seed))
    cluster.coordinator.tampering.setMessageChange { message in
      guard case .prepare(let order) = message else { return [message] }
      return random.withLock { random in
        random.chance(0.6) ? [.prepare(Self.change(order, &random, spec: model))] : [message]
      }
    }
    let job = cluster.submit(Models.requests[0])
    try cluster.run()
    #expect(job.hasEnded)
    try expectServed(cluster)
  }

  private func expectServed(_ cluster: SimulatedCluster) throws {
    cluster.killCoordinator()
    cluster.startCoordinator(term: 2)
    let jobs = Models.requests.map { cluster.submit($0) }
    try cluster.run()
    for (index, job) in jobs.enumerated() {
      let expected = try Models.answer(index, cluster.model)
      #expect(job.answer == expected, "job \(index), \(String(describing: job.failure)), \(cluster.options)")
    }
    expectNothingLeft(cluster)
  }

  // MARK: - Nonsense

  private static func change(_ batch: StepBatch, _ random: inout SeededRandom) -> StepBatch {
    var entries = batch.entries.map { random.chance(0.7) ? change($0, &random) : $0 }
    if random.chance(0.1), let entry = entries.first { entries.append(entry) }
    if random.chance(0.05) { entries = [] }
    var released = batch.released
    if random.chance(0.2) { released.append(SequenceID(rawValue: UInt64(random.next(below: 6)))) }
    let id = random.chance(0.1) ? StepID(rawValue: UInt64(random.next(below: 20))) : batch.id
    let others = [nil, id, StepID(rawValue: id.rawValue &- 1), StepID(rawValue: random.next())]
    return StepBatch(
      id: id, phase: random.chance(0.2) ? .prefill : batch.phase, entries: entries, released: released,
      follows: random.chance(0.2) ? random.pick(others) : batch.follows)
  }

  private static func change(_ entry: StepEntry, _ random: inout SeededRandom) -> StepEntry {
    var (sequence, position, tokens, wanted) = (entry.sequence, entry.position, entry.tokens, entry.wanted)
    var opening = entry.opening
    switch random.next(below: 9) {
    case 0: sequence = SequenceID(rawValue: random.next())
    case 1: position = random.pick([0, position + 1, max(0, position - 1), 250, 1 << 30, Int(Int32.max)])
    case 2: tokens = Array(repeating: 1, count: random.next(in: 1...400))
    case 3 where !tokens.isEmpty:
      tokens[random.next(below: tokens.count)] = TokenID(random.pick([257, 1 << 20, .max]))
    case 4: wanted = .logits(rows: random.next(in: 1...max(1, tokens.count)))
    case 5: wanted = random.pick([.nothing, .token])
    case 6: opening = nil
    case 7: opening = SequenceOpening(sampling: strange(&random), history: [])
    default: opening = SequenceOpening(sampling: strange(&random), history: Array(repeating: 300_000, count: 70))
    }
    // A step that follows another brings one row without a token.
    let rowCount = max(1, tokens.count)
    if case .logits(let rows) = wanted, rows > rowCount { wanted = .token }
    return StepEntry(
      sequence: sequence, position: position, rowCount: rowCount, tokens: tokens, wanted: wanted,
      opening: opening)
  }

  private static func strange(_ random: inout SeededRandom) -> SamplingParameters {
    let numbers: [Float] = [.nan, .infinity, -1, 0, 1e30, 1]
    return SamplingParameters(
      temperature: random.pick(numbers), topK: random.pick([0, 1, 1 << 30]), topP: random.pick(numbers),
      minP: random.pick(numbers), repeatPenalty: random.pick(numbers), frequencyPenalty: random.pick(numbers),
      presencePenalty: random.pick(numbers), penaltyWindow: random.pick([0, 1, 64, 4096, 1 << 30]), seed: 1)
  }

  private static func change(_ order: Prepare, _ random: inout SeededRandom, spec model: SimulatedModel) -> Prepare {
    var (context, sequences, rows, node) = (order.context, order.sequences, order.subBatchRows, order.node)
    var (placement, addresses, pieces) = (order.placement, order.addresses, order.pieces)
    var (headerBytes, header) = (order.headerByteCount, order.headerDigest)
    switch random.next(below: 10) {
    case 0: context = random.pick([1, 63, 1 << 20])
    case 1: sequences = random.pick([1, 65_535])
    case 2: rows = random.pick([1, 4096])
    case 3: node = NodeIndex(random.next(below: placement.nodes.count))
    case 4:
      let other = Placement(random: &random, spec: model.spec)
      placement = Placement(
        epoch: PlacementEpoch(rawValue: UInt32(random.next(below: 3))), nodes: placement.nodes, stages: other.stages)
    case 5: addresses = addresses.map { _ in random.pick(["", "nobody:1", "reef:1", "::::"]) }
    case 6: pieces.removeAll { _ in random.chance(0.3) }
    case 7: pieces += pieces.prefix(1)
    case 8:
      pieces = pieces.map {
        PieceDescription(
          piece: $0.piece, byteCount: random.chance(0.9) ? $0.byteCount : random.pick([0, 1, 1 << 50]),
          digest: random.chance(0.9) ? $0.digest : order.model)
      }
    default: (headerBytes, header) = (random.pick([0, 5, 1 << 50]), random.pick([header, order.model]))
    }
    return Prepare(
      model: order.model, headerDigest: header, headerByteCount: headerBytes, kvType: order.kvType,
      combine: order.combine, context: context, sequences: sequences, subBatchRows: rows, node: node,
      placement: placement, addresses: addresses, pieces: pieces)
  }
}
