import ClusterTestKit
import Testing

/// A seed reproduces a run.
@Suite struct RepeatabilityTests {
  @Test("three nodes with real engines on one thread: one seed, twice, the same events in the same order")
  func twice() throws {
    let first = try Self.run(seed: 20)
    let second = try Self.run(seed: 20)
    let log = first.log.events
    #expect(log.count > 500)
    let difference = zip(log, second.log.events).enumerated().first { $0.element.0 != $0.element.1 }
    #expect(difference == nil)
    #expect(log.count == second.log.events.count)
    #expect(first.jobs.map(\.answer) == second.jobs.map(\.answer))
    #expect(first.elapsed == second.elapsed)
  }

  @Test("another seed: other events, the same answers")
  func otherSeed() throws {
    let first = try Self.run(seed: 21)
    let second = try Self.run(seed: 22)
    #expect(first.log.events != second.log.events)
    #expect(first.jobs.map(\.answer) == second.jobs.map(\.answer))
    for (index, job) in first.jobs.enumerated() {
      let expected = try Models.answer(index, Models.mixed.get())
      #expect(job.answer == expected, "job \(index)")
    }
  }

  private static func run(seed: UInt64) throws -> SimulatedCluster {
    let model = try Models.mixed.get()
    var options = Models.threeNodes(model, seed: seed)
    options.threads = [1, 2]
    options.prefillChunk = 7
    options.faults = .slow
    let cluster = try SimulatedCluster(model, options)
    for request in Models.requests { cluster.submit(request) }
    try cluster.run()
    return cluster
  }
}
