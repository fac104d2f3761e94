import Cluster
import ClusterTestKit
import Coordinator
import Foundation
import ModelSpec
import ShardStore
import Tensors
import Testing
import Transport
import Wire

/// Coordinators and workers that come and go.
@Suite struct RestartTests {
  @Test("a new coordinator of a higher term finds all weights in memory and gives the same answers")
  func restart() throws {
    let model = try Models.small.get()
    var options = Models.threeNodes(model, seed: 1)
    options.weights = .coordinator(storeFolder: nil)
    let cluster = try SimulatedCluster(model, options)
    let first = Models.requests.map { cluster.submit($0) }
    try cluster.run()
    #expect(cluster.weights.bytesMoved > model.manifest.byteCount)
    #expect(cluster.coordinator.bytesMoved.values.reduce(0, +) == cluster.weights.bytesMoved)
    let moved = cluster.weights.bytesMoved

    cluster.killCoordinator()
    cluster.startCoordinator(term: 2)
    let second = Models.requests.map { cluster.submit($0) }
    try cluster.run()
    #expect(second.map(\.answer) == first.map(\.answer))
    #expect(cluster.weights.bytesMoved == moved)
    #expect(cluster.coordinator.bytesMoved == ["reef": 0, "cove": 0, "sound": 0])
    expectNothingLeft(cluster)
  }

  @Test("another placement of the same nodes: only what is new to a node moves, and the answers stay")
  func otherPlacement() throws {
    let model = try Models.small.get()
    var options = Models.threeNodes(model, seed: 9)
    options.weights = .coordinator(storeFolder: nil)
    let cluster = try SimulatedCluster(model, options)
    let first = Models.requests.map { cluster.submit($0) }
    try cluster.run()
    let moved = cluster.weights.bytesMoved
    cluster.killCoordinator()
    let placement = Placement(nodes: 3, [(0..<2, 2, ["0-3", "", "4-6"]), (2..<3, 1, ["0-1", "2-3", "4-6"])])
    cluster.startCoordinator(term: 2, placement: placement)
    let second = Models.requests.map { cluster.submit($0) }
    try cluster.run()
    #expect(second.map(\.answer) == first.map(\.answer))
    var expected = 0
    for index in 0..<3 {
      let before = Set(options.placement.pieces(for: NodeIndex(index), spec: model.spec))
      let added = placement.pieces(for: NodeIndex(index), spec: model.spec).filter { !before.contains($0) }
      expected += added.compactMap { model.manifest.entry(for: $0)?.byteCount }.reduce(0, +)
    }
    #expect(expected > 0)
    #expect(cluster.weights.bytesMoved - moved == expected)
    expectNothingLeft(cluster)
  }

  @Test("a coordinator killed in the middle: the next one starts from nothing and is right")
  func killed() throws {
    let (cluster, _) = try FaultTests.midway(seed: 2)
    cluster.killCoordinator()
    cluster.startCoordinator(term: 2)
    let jobs = Models.requests.map { cluster.submit($0) }
    try cluster.run()
    for (index, job) in jobs.enumerated() {
      let expected = try Models.answer(index, Models.small.get())
      #expect(job.answer == expected, "job \(index)")
    }
    expectNothingLeft(cluster)
  }

  @Test("a higher term takes over from a coordinator that lives; the older one's jobs wait")
  func takeOver() throws {
    let (cluster, old) = try FaultTests.midway(seed: 3)
    cluster.startCoordinator(term: 2)
    let job = cluster.submit(Models.requests[0])
    try cluster.run { job.hasEnded }
    let expected = try Models.answer(0, Models.small.get())
    #expect(job.answer == expected)
    #expect(old.allSatisfy { !$0.hasEnded })
    cluster.killCoordinator("coordinator-1")
    try cluster.run()
    expectNothingLeft(cluster)
  }

  @Test(
    "another cluster, or an older term, is refused while the connection lives", arguments: [(1, 9), (1, 1), (5, 9)])
  func refused(term: Int, number: Int) throws {
    let (cluster, jobs) = try FaultTests.midway(seed: 4)
    cluster.startCoordinator(term: UInt32(term), cluster: UInt64(number))
    let stranger = cluster.submit(Models.requests[0])
    try cluster.run()
    #expect(stranger.failure?.code == .refused)
    #expect(stranger.failure?.message.contains("serves cluster") == true)
    for (index, job) in zip([1, 3], jobs) {
      let expected = try Models.answer(index, Models.small.get())
      #expect(job.answer == expected, "job \(index)")
    }
    cluster.killCoordinator()
    expectNothingLeft(cluster)
  }

  @Test("frames of the coordinator before, on their way for long, are dropped")
  func staleFrames() throws {
    let model = try Models.small.get()
    let cluster = try SimulatedCluster(model, Models.threeNodes(model, seed: 5))
    try cluster.bringUp()
    cluster.faults = FaultPlan { $0.plane == .data ? .hold : nil }
    cluster.faults.isFrozen = true
    let lost = cluster.submit(Models.requests[0])
    try cluster.run { cluster.waitingPackets > 0 }
    cluster.killCoordinator()
    cluster.startCoordinator(term: 2)
    try cluster.bringUp()
    #expect(cluster.coordinator.isReady)
    cluster.faults = .none
    let job = cluster.submit(Models.requests[0])
    try cluster.run()
    let expected = try Models.answer(0, model)
    #expect(job.answer == expected)
    #expect(cluster.workers.contains { $0.staleFrames > 0 })
    #expect(!lost.hasEnded)
    expectNothingLeft(cluster)
  }

  @Test("a worker process that starts again takes its weights from its store")
  func store() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("simulation-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let model = try Models.small.get()
    var options = Models.threeNodes(model, seed: 6)
    options.weights = .coordinator(storeFolder: folder.path)
    let cluster = try SimulatedCluster(model, options)
    let first = cluster.submit(Models.requests[0])
    try cluster.run()
    let moved = cluster.weights.bytesMoved
    for node in options.placement.nodes { cluster.kill(node) }
    cluster.killCoordinator()
    for node in options.placement.nodes { try cluster.startWorker(node) }
    cluster.startCoordinator(term: 2)
    let second = cluster.submit(Models.requests[0])
    try cluster.run()
    #expect(moved > model.manifest.byteCount)
    #expect(cluster.weights.bytesMoved == moved)
    #expect(second.answer == first.answer && !second.tokens.isEmpty)
  }

  @Test("a piece with wrong bytes: the worker that got it is named, and the piece; the right bytes help")
  func spoiled() throws {
    let model = try Models.small.get()
    var options = Models.threeNodes(model, seed: 7)
    options.weights = .coordinator(storeFolder: nil)
    let cluster = try SimulatedCluster(model, options)
    let piece = PieceID.expert(0, 6)
    cluster.weights.spoil(piece)
    let failed = cluster.submit(Models.requests[0])
    try cluster.run()
    #expect(failed.failure?.code == .prepareFailed)
    #expect(failed.failure?.node == "sound")
    #expect(failed.failure?.message.contains("\(piece)") == true, "\(String(describing: failed.failure))")
    cluster.killCoordinator()
    cluster.weights.spoil(piece, false)
    cluster.startCoordinator(term: 2)
    let job = cluster.submit(Models.requests[0])
    try cluster.run()
    let expected = try Models.answer(0, model)
    #expect(job.answer == expected)
  }

  @Test("the cluster is real: every worker sends its sums, and the hosts their rows")
  func traffic() throws {
    let model = try Models.small.get()
    let cluster = try SimulatedCluster(model, Models.threeNodes(model, seed: 8))
    cluster.submit(Models.requests[0])
    try cluster.run()
    let packets = cluster.log.packets
    for node in ["reef", "cove", "sound"] {
      #expect(packets.contains { $0.source == node && $0.type == .combine })
    }
    for node in ["reef", "cove"] {
      #expect(packets.contains { $0.source == node && $0.type == .dispatch })
    }
    #expect(packets.contains { $0.source == "reef" && $0.destination == "cove" && $0.type == .handOver })
    let counted = cluster.jobs[0].summary?.wire.total
    let bytes = packets.filter { $0.plane == .data }.reduce(0) { $0 + $1.byteCount }
    // A job from the cluster's start counts all data frames but those that only free its memory.
    #expect(counted.map { Int($0.dataBytes) <= bytes && Int($0.dataBytes) * 100 > bytes * 98 } == true)
  }
}
