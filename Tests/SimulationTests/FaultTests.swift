import Cluster
import ClusterTestKit
import Coordinator
import Kernels
import Synchronization
import Tensors
import Testing
import Transport
import Wire
import Worker

/// What the network does to a cluster, and what its users hear of it.
@Suite struct FaultTests {
  /// A running three-node cluster in the middle of two generations.
  static func midway(
    seed: UInt64, oneStage: Bool = false
  ) throws -> (cluster: SimulatedCluster, jobs: [SimulatedJob]) {
    let model = try Models.small.get()
    let options = oneStage ? Models.oneStage(model, seed: seed) : Models.threeNodes(model, seed: seed)
    let cluster = try SimulatedCluster(model, options)
    let jobs = [1, 3].map { cluster.submit(Models.requests[$0]) }
    try cluster.run { jobs.allSatisfy { $0.tokens.count >= 2 } }
    return (cluster, jobs)
  }

  /// Expects that the jobs of `midway` came out as if nothing had happened.
  static func expectUndisturbed(
    _ cluster: SimulatedCluster, _ jobs: [SimulatedJob], _ what: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for (index, job) in zip([1, 3], jobs) {
      let expected = try Models.answer(index, cluster.model)
      #expect(job.failure == nil, "\(what): job \(index)", sourceLocation: sourceLocation)
      #expect(job.answer == expected, "\(what): job \(index)", sourceLocation: sourceLocation)
    }
  }

  @Test(
    "a worker's link cut in the middle: the jobs go on, also those to come", arguments: ["reef", "cove", "sound"],
    [false, true])
  func workerLink(node: String, oneStage: Bool) throws {
    let (cluster, jobs) = try Self.midway(seed: 1, oneStage: oneStage)
    cluster.cut(cluster.coordinator.name, node)
    try cluster.run()
    try Self.expectUndisturbed(cluster, jobs)
    let late = cluster.submit(Models.requests[0])
    try cluster.run()
    let expected = try Models.answer(0, cluster.model)
    #expect(late.answer == expected)
    expectNothingLeft(cluster)
  }

  @Test("a worker killed in the middle: the others take over", arguments: ["reef", "cove", "sound"], [false, true])
  func killed(node: String, oneStage: Bool) throws {
    let (cluster, jobs) = try Self.midway(seed: 2, oneStage: oneStage)
    cluster.kill(NodeID(node))
    try cluster.run()
    try Self.expectUndisturbed(cluster, jobs)
    #expect(cluster.log.events.contains { if case .status(_, .lost(NodeID(node), _)) = $0 { true } else { false } })
    expectNothingLeft(cluster)
  }

  @Test("the link between two workers cut, for a moment or for good: the jobs go on", arguments: [false, true])
  func peers(keepApart: Bool) throws {
    let (cluster, jobs) = try Self.midway(seed: 3)
    cluster.cut("reef", "sound", keepApart: keepApart)
    try cluster.run()
    try Self.expectUndisturbed(cluster, jobs)
    expectNothingLeft(cluster)
  }

  @Test("all workers killed: the jobs wait, and go on when workers come")
  func allKilled() throws {
    let (cluster, jobs) = try Self.midway(seed: 10)
    for node in cluster.options.placement.nodes { cluster.kill(node) }
    try cluster.pass(.seconds(60))
    #expect(jobs.allSatisfy { !$0.hasEnded })
    #expect(cluster.log.events.contains { if case .status(_, .waiting) = $0 { true } else { false } })
    for node in cluster.options.placement.nodes { try cluster.startWorker(node) }
    try cluster.run()
    try Self.expectUndisturbed(cluster, jobs)
    expectNothingLeft(cluster)
  }

  @Test("two workers that cannot reach each other: the cluster does not come up, and says which")
  func apart() throws {
    let model = try Models.small.get()
    let cluster = try SimulatedCluster(model, Models.threeNodes(model, seed: 4))
    cluster.cut("cove", "sound", keepApart: true)
    let job = cluster.submit(Models.requests[0])
    try cluster.run()
    #expect(job.failure?.message.contains("cove") == true)
    #expect(job.failure?.message.contains("sound") == true)
    expectNothingLeft(cluster)
  }

  @Test("packets that wait and overtake each other change no answer", arguments: Seeds.upTo(6))
  func slow(seed: UInt64) throws {
    let model = try Models.mixed.get()
    var options = Models.threeNodes(model, seed: seed)
    options.kernels = [.avx2]
    options.faults = FaultPlan(hold: 0.9, release: 0.2)
    let cluster = try SimulatedCluster(model, options)
    let jobs = Models.requests.map { cluster.submit($0) }
    try cluster.run()
    for (index, job) in jobs.enumerated() {
      let expected = try Models.answer(index, model)
      #expect(job.answer == expected, "job \(index), \(options)")
    }
    expectNothingLeft(cluster)
  }

  @Test(
    "connections that break at any moment: an error before all were there, the right answer after that",
    arguments: Seeds.upTo(16))
  func breaking(seed: UInt64) throws {
    let model = try Models.small.get()
    var options = Models.threeNodes(model, seed: seed)
    options.kernels = [.avx2]
    options.faults = FaultPlan(hold: 0.2, cut: 0.001)
    let cluster = try SimulatedCluster(model, options)
    let jobs = Models.requests.map { cluster.submit($0) }
    try cluster.run()
    for (index, job) in jobs.enumerated() {
      if let failure = job.failure {
        #expect(failure.node.map { options.placement.nodes.contains($0) } == true, "\(failure); \(options)")
      } else {
        let expected = try Models.answer(index, model)
        #expect(job.answer == expected, "job \(index), \(options)")
      }
    }
    expectNothingLeft(cluster)
  }

  /// A node that falls silent: which messages of it get lost, what the jobs then fail with, and after how long.
  static let silences: [(String, FrameType?, CoordinatorError.Code, ClosedRange<Int>)] = [
    ("never greets", .welcome, .unreachable, 10...10),
    ("never gets ready", .prepared, .prepareFailed, 65...301),
    ("never switches", .activated, .prepareFailed, 10...10),
  ]

  @Test("a node that does not answer is named when its time is over", arguments: silences.indices)
  func silent(index: Int) throws {
    let (what, type, code, seconds) = Self.silences[index]
    let model = try Models.small.get()
    let cluster = try SimulatedCluster(model, Models.threeNodes(model, seed: UInt64(index)))
    let silence = FaultPlan.drop { $0.source == "cove" && $0.type == type ?? $0.type }
    cluster.faults = silence
    let job = cluster.submit(Models.requests[0])
    try cluster.run()
    #expect(job.failure?.code == code, "\(what): \(String(describing: job.failure))")
    #expect(job.failure?.node == "cove", "\(what): \(String(describing: job.failure))")
    #expect(job.failure?.message.contains("cove") == true, "\(what): \(String(describing: job.failure))")
    #expect(seconds.contains(Int(cluster.elapsed.components.seconds)), "\(what): after \(cluster.elapsed)")
    expectNothingLeft(cluster)
  }

  @Test("a node that falls silent: the others take over within a second")
  func fallsSilent() throws {
    let (cluster, jobs) = try Self.midway(seed: 11)
    cluster.faults = .drop { $0.source == "cove" }
    try cluster.run()
    #expect(cluster.elapsed <= .seconds(1))
    try Self.expectUndisturbed(cluster, jobs)
  }

  @Test("a node whose engine hangs while its system answers: the others take over in the end")
  func hangs() throws {
    let (cluster, jobs) = try Self.midway(seed: 12)
    cluster.hang("sound")
    try cluster.run()
    #expect((.seconds(30)...(.seconds(32))).contains(cluster.elapsed), "\(cluster.elapsed)")
    try Self.expectUndisturbed(cluster, jobs)
  }

  /// Frames that get lost once, of which nobody hears that they were.
  @Test(
    "a result, sums or rows that get lost: the step runs again when its time is over",
    arguments: [FrameType.stepResult, .combine, .dispatch, .handOver, .step])
  func lost(type: FrameType) throws {
    let (cluster, jobs) = try Self.midway(seed: 6)
    let isFirst = Mutex(true)
    cluster.faults = .drop { packet in
      packet.type == type
        && isFirst.withLock { isFirst in
          defer { isFirst = false }
          return isFirst
        }
    }
    try cluster.run()
    #expect((.seconds(600)...(.seconds(602))).contains(cluster.elapsed), "\(cluster.elapsed)")
    try Self.expectUndisturbed(cluster, jobs, "\(type)")
    expectNothingLeft(cluster)
  }

  @Test("an idle cluster lives on, asked for a sign of life now and then")
  func idle() throws {
    let model = try Models.small.get()
    let cluster = try SimulatedCluster(model, Models.threeNodes(model, seed: 7))
    try cluster.bringUp()
    #expect(cluster.coordinator.isReady)
    try cluster.pass(.seconds(3600))
    #expect(cluster.coordinator.failure == nil)
    #expect(cluster.log.packets.contains { $0.type == .pong })
    let job = cluster.submit(Models.requests[0])
    try cluster.run()
    let expected = try Models.answer(0, model)
    #expect(job.answer == expected)
  }
}
