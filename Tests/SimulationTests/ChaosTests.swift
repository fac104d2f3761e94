import Cluster
import ClusterTestKit
import Coordinator
import Kernels
import ModelSpec
import Tensors
import Testing
import Worker

/// Whatever happens to coordinators, workers and connections: what is answered is right, and in the end all is well.
@Suite struct ChaosTests {
  @Test("coordinators and workers that die at any moment, connections that break", arguments: Seeds.upTo(10))
  func chaos(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let model = try Models.small.get()
    var options = SimulationOptions(seed: seed, placement: Placement(random: &random, spec: model.spec))
    options.kernels = [.avx2]
    options.subBatchRows = random.pick([4, 16, 64])
    options.weights = .coordinator(storeFolder: nil)
    let cluster = try SimulatedCluster(model, options)
    for term in UInt32(2)...6 {
      cluster.faults = FaultPlan(hold: random.pick([0, 0.3]), cut: random.pick([0, 0.0003, 0.003]))
      let indices = (0..<3).map { _ in random.next(below: Models.requests.count) }
      let jobs = indices.map { cluster.submit(Models.requests[$0]) }
      var turns = random.next(below: 2000)
      try cluster.run {
        turns -= 1
        return turns < 0
      }
      try check(jobs, indices, cluster)
      if random.chance(0.3) {
        let node = random.pick(options.placement.nodes)
        cluster.kill(node)
        try cluster.startWorker(node)
      }
      // Sometimes the old one lives on until the new one has taken over.
      let old = cluster.coordinator.name
      let livesOn = random.chance(0.3)
      // The last coordinator has a network without faults.
      if term == 6 { cluster.faults = .none }
      if !livesOn { cluster.killCoordinator(old) }
      cluster.startCoordinator(term: term)
      if livesOn {
        try cluster.bringUp()
        cluster.killCoordinator(old)
      }
    }
    try cluster.run()
    let jobs = Models.requests.map { cluster.submit($0) }
    try cluster.run()
    #expect(jobs.allSatisfy { $0.summary != nil }, "\(String(describing: cluster.coordinator.failure)), \(options)")
    try check(jobs, Array(jobs.indices), cluster)
    expectNothingLeft(cluster)
    for (index, node) in options.placement.nodes.enumerated() {
      let share = options.placement.pieces(for: NodeIndex(index), spec: model.spec)
      let bytes = share.compactMap { model.spec.layout(of: $0)?.memoryBytes }.reduce(0, +)
      #expect(cluster.worker(node)?.arena.bytesInUse == bytes, "\(node), \(options)")
    }
  }

  /// A job that has ended is right, or names what failed; one that has not is right so far.
  private func check(_ jobs: [SimulatedJob], _ indices: [Int], _ cluster: SimulatedCluster) throws {
    for (index, job) in zip(indices, jobs) {
      let expected = try Models.answer(index, cluster.model)
      let options = cluster.options
      #expect(job.tokens == Array(expected.tokens.prefix(job.tokens.count)), "job \(index), \(options)")
      if job.summary != nil { #expect(job.answer == expected, "job \(index), \(options)") }
      if let failure = job.failure { #expect(failure.node != nil, "\(failure), \(options)") }
    }
  }
}
