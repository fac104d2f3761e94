import Cluster
import ClusterTestKit
import Coordinator
import Kernels
import Tensors
import Testing
import Transport
import Wire
import Worker

/// What the network does to a cluster, and what its users hear of it.
@Suite struct FaultTests {
  /// A running three-node cluster in the middle of two generations.
  static func midway(seed: UInt64) throws -> (cluster: SimulatedCluster, jobs: [SimulatedJob]) {
    let model = try Models.small.get()
    let cluster = try SimulatedCluster(model, Models.threeNodes(model, seed: seed))
    let jobs = [1, 3].map { cluster.submit(Models.requests[$0]) }
    try cluster.run { jobs.allSatisfy { $0.tokens.count >= 2 } }
    return (cluster, jobs)
  }

  @Test("a worker's link cut in the middle: the jobs fail, naming it", arguments: ["reef", "cove", "sound"])
  func workerLink(node: String) throws {
    let (cluster, jobs) = try Self.midway(seed: 1)
    cluster.cut(cluster.coordinator.name, node)
    try cluster.run()
    for job in jobs {
      #expect(job.failure?.code == .workerLost)
      #expect(job.failure?.node == NodeID(node))
      #expect(job.failure?.message.contains(node) == true)
    }
    let late = cluster.submit(Models.requests[0])
    try cluster.run()
    #expect(late.failure?.node == NodeID(node))
    #expect(cluster.workers.allSatisfy { $0.shell.nextDeadline == nil })
    expectNothingLeft(cluster)
  }

  @Test("a worker killed in the middle: the jobs fail, naming it", arguments: ["reef", "cove", "sound"])
  func killed(node: String) throws {
    let (cluster, jobs) = try Self.midway(seed: 2)
    cluster.kill(NodeID(node))
    try cluster.run()
    for job in jobs {
      #expect(job.failure?.code == .workerLost)
      #expect(job.failure?.node == NodeID(node))
    }
    expectNothingLeft(cluster)
  }

  @Test("the link between two workers cut: the jobs fail, naming both")
  func peers() throws {
    let (cluster, jobs) = try Self.midway(seed: 3)
    cluster.cut("reef", "sound")
    try cluster.run()
    for job in jobs {
      #expect(job.failure?.code == .workerLost)
      #expect(job.failure?.message.contains("reef") == true)
      #expect(job.failure?.message.contains("sound") == true)
    }
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
    "connections that break at any moment: the right answer, or an error that names a node", arguments: Seeds.upTo(16))
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
    ("never switches", .activated, .prepareFailed, 30...30),
    ("never gives a result", .stepResult, .stepFailed, 600...600),
    ("never says anything again", nil, .workerLost, 60...70),
  ]

  @Test("a node that does not answer is named when its time is over", arguments: silences.indices)
  func silent(index: Int) throws {
    let (what, type, code, seconds) = Self.silences[index]
    let model = try Models.small.get()
    let cluster = try SimulatedCluster(model, Models.threeNodes(model, seed: UInt64(index)))
    let silence = FaultPlan.drop { $0.source == "cove" && $0.type == type ?? $0.type }
    if type == nil {
      let job = cluster.submit(Models.requests[1])
      try cluster.run { job.tokens.count == 4 }
    }
    cluster.faults = silence
    let job = cluster.submit(Models.requests[0])
    try cluster.run()
    #expect(job.failure?.code == code, "\(what): \(String(describing: job.failure))")
    #expect(job.failure?.node == "cove", "\(what): \(String(describing: job.failure))")
    #expect(job.failure?.message.contains("cove") == true, "\(what): \(String(describing: job.failure))")
    #expect(seconds.contains(Int(cluster.elapsed.components.seconds)), "\(what): after \(cluster.elapsed)")
    expectNothingLeft(cluster)
  }

  @Test("a peer that keeps its sums to itself: the step is given up in the end")
  func silentPeer() throws {
    let (cluster, jobs) = try Self.midway(seed: 6)
    cluster.faults = .drop { $0.source == "sound" && $0.type == .combine }
    try cluster.run()
    #expect(jobs.allSatisfy { $0.failure?.code == .stepFailed })
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
