import ClusterTestKit
import Coordinator
import Kernels
import Scheduling
import Synchronization
import Tensors
import Testing
import Wire

/// Workers that do everything right but for one thing that they say.
@Suite struct LyingWorkerTests {
  /// Lies of the last host about a step.
  static let lies: [(String, @Sendable (StepOutcome) -> StepOutcome)] = [
    ("another step", { StepOutcome(step: StepID(rawValue: $0.step.rawValue + 1000), results: $0.results) }),
    (
      "another sequence",
      { change($0) { StepResult(sequence: SequenceID(rawValue: 99), position: $0.position, outcome: $0.outcome) } }
    ),
    (
      "another position",
      { change($0) { StepResult(sequence: $0.sequence, position: $0.position + 1, outcome: $0.outcome) } }
    ),
    (
      "a token outside the vocabulary",
      { change($0) { with($0, .token(TokenID(UInt32(ModelRecipe.vocabulary)), logProbability: -1)) } }
    ),
    ("nothing where something was wanted", { change($0) { with($0, .none) } }),
    ("logits where a token was wanted", { change($0) { with($0, .logits(rows: 1, values: [1])) } }),
    ("no results", { StepOutcome(step: $0.step, results: []) }),
    ("results twice over", { StepOutcome(step: $0.step, results: $0.results + $0.results) }),
  ]

  static func change(_ outcome: StepOutcome, _ body: (StepResult) -> StepResult) -> StepOutcome {
    StepOutcome(step: outcome.step, results: outcome.results.map(body))
  }

  static func with(_ result: StepResult, _ outcome: StepResult.Outcome) -> StepResult {
    StepResult(sequence: result.sequence, position: result.position, outcome: outcome)
  }

  @Test(
    "a wrong result is found out, the worker let go, and others do it right", arguments: lies.indices, [false, true])
  func results(index: Int, oneStage: Bool) throws {
    let (name, lie) = Self.lies[index]
    let (cluster, jobs) = try FaultTests.midway(seed: UInt64(index), oneStage: oneStage)
    let host: NodeID = oneStage ? "reef" : "cove"
    cluster.worker(host)?.tampering.setMessageChange { message in
      guard case .stepResult(let outcome) = message, !outcome.results.isEmpty else { return [message] }
      return [.stepResult(lie(outcome))]
    }
    try cluster.run()
    try FaultTests.expectUndisturbed(cluster, jobs, name)
    #expect(wasLet(go: host, cluster), "\(name)")
    expectNothingLeft(cluster)
  }

  /// Whether a worker was not trusted any more.
  private func wasLet(go node: NodeID, _ cluster: SimulatedCluster) -> Bool {
    cluster.log.events.contains { event in
      if case .status(_, .lost(node, _)) = event { true } else { false }
    }
  }

  @Test("logits of another size are found out", arguments: [0, 1, 256, 5 * 257 - 1])
  func logits(count: Int) throws {
    let model = try Models.small.get()
    let cluster = try SimulatedCluster(model, Models.threeNodes(model, seed: 1))
    let job = cluster.submit(Models.requests[2])
    cluster.worker("cove")?.tampering.setMessageChange { message in
      guard case .stepResult(let outcome) = message, !outcome.results.isEmpty else { return [message] }
      let lie = Self.change(outcome) { Self.with($0, .logits(rows: 1, values: Array(repeating: 0, count: count))) }
      return [.stepResult(lie)]
    }
    try cluster.run()
    let expected = try Models.answer(2, model)
    #expect(job.answer == expected)
    #expect(wasLet(go: "cove", cluster))
    expectNothingLeft(cluster)
  }

  /// Messages that are not the worker's to send.
  static let strange: [ControlMessage] = [
    .activate(Activate(epoch: PlacementEpoch(rawValue: 1), movesKeyValues: false)), .shutdown, .countersRequest,
    .stepResult(StepOutcome(step: StepID(rawValue: 1), results: [])),
    .peerLost(PeerLost(node: 17, sentence: "nobody")),
  ]

  @Test("messages that are not its own are found out", arguments: strange.indices)
  func messages(index: Int) throws {
    let (cluster, jobs) = try FaultTests.midway(seed: UInt64(index))
    cluster.worker("reef")?.tampering.setMessageChange { [Self.strange[index], $0] }
    try cluster.run()
    #expect(wasLet(go: "reef", cluster), "\(Self.strange[index].type)")
    try FaultTests.expectUndisturbed(cluster, jobs, "\(Self.strange[index].type)")
    expectNothingLeft(cluster)
  }

  @Test("data frames with flipped bits: an error or an answer, no trap, no hang", arguments: Seeds.upTo(24))
  func frames(seed: UInt64) throws {
    let (cluster, jobs) = try FaultTests.midway(seed: seed)
    let random = Mutex(SeededRandom(seed: seed))
    let node: NodeID = ["reef", "cove", "sound"][Int(seed % 3)]
    cluster.worker(node)?.tampering.setPayloadChange { _, payload in
      random.withLock { random in
        guard random.chance(0.2), !payload.isEmpty else { return }
        for _ in 0..<random.next(in: 1...3) {
          // Often among the first bytes, where the counts and indices stand.
          let reach = random.chance(0.7) ? min(64, payload.count) : payload.count
          payload[random.next(below: reach)] ^= UInt8(1 << random.next(below: 8))
        }
      }
    }
    try cluster.run()
    #expect(jobs.allSatisfy { $0.hasEnded })
    for job in jobs {
      if let failure = job.failure { #expect(failure.node != nil, "\(failure)") }
    }
    cluster.worker(node)?.tampering.setPayloadChange(nil)
    if cluster.coordinator.failure == nil {
      // Steps failed, the cluster did not: whoever comes next is answered as ever.
      let job = cluster.submit(Models.requests[0])
      try cluster.run()
      let expected = try Models.answer(0, Models.small.get())
      #expect(job.answer == expected, "seed \(seed): \(String(describing: job.failure))")
    }
    expectNothingLeft(cluster, isHonest: false)
  }

  @Test("a peer that asks for experts that are elsewhere: the step fails, the cluster goes on")
  func wrongExpert() throws {
    let (cluster, jobs) = try FaultTests.midway(seed: 9)
    cluster.worker("reef")?.tampering.setPayloadChange { type, payload in
      // After 12 bytes, an exponent and a count for each row, the experts; 6 is the third node's, 1 the second's.
      guard type == .dispatch else { return }
      let rows = Int(payload.loadUnaligned(fromByteOffset: 4, as: UInt16.self).littleEndian)
      payload.storeBytes(of: UInt16(0).littleEndian, toByteOffset: 12 + 4 * rows, as: UInt16.self)
    }
    try cluster.run()
    #expect(jobs.contains { $0.failure?.code == .stepFailed })
    cluster.worker("reef")?.tampering.setPayloadChange(nil)
    let job = cluster.submit(Models.requests[0])
    try cluster.run()
    let expected = try Models.answer(0, Models.small.get())
    #expect(job.answer == expected)
    expectNothingLeft(cluster)
  }

  @Test("a step that fails in one of its passes leaves nothing behind on any host", arguments: Seeds.upTo(16))
  func failingPass(seed: UInt64) throws {
    let model = try Models.small.get()
    var random = SeededRandom(seed: seed)
    var options = Models.threeNodes(model, seed: seed)
    options.kernels = [.avx2]
    options.context = 72
    options.sequences = random.next(in: 1...2)
    options.subBatchRows = random.pick([4, 16])
    options.faults = random.pick([.none, .slow])
    let cluster = try SimulatedCluster(model, options)
    let host: NodeID = random.pick(["reef", "cove"])
    // Not the last one: its only row may choose experts that its host has.
    let pass = random.next(below: 60 / options.subBatchRows)
    cluster.worker(host)?.tampering.setPayloadChange { type, payload in
      guard type == .dispatch, payload.loadUnaligned(fromByteOffset: 2, as: UInt16.self) == UInt16(pass).littleEndian
      else { return }
      let rows = Int(payload.loadUnaligned(fromByteOffset: 4, as: UInt16.self).littleEndian)
      payload.storeBytes(of: UInt16.max, toByteOffset: 12 + 4 * rows, as: UInt16.self)
    }
    let failed = cluster.submit(Models.requests[0])
    try cluster.run { failed.hasEnded }
    #expect(failed.failure?.code == .stepFailed, "\(options)")
    cluster.worker(host)?.tampering.setPayloadChange(nil)
    let jobs = Models.requests.map { cluster.submit($0) }
    try cluster.run()
    for (index, job) in jobs.enumerated() {
      let expected = try Models.answer(index, model)
      #expect(job.answer == expected, "job \(index), \(String(describing: job.failure)), \(options)")
    }
    expectNothingLeft(cluster)
  }
}
