import ClusterTestKit
import Scheduling
import Testing

@testable import Coordinator
@testable import Engine
@testable import Worker

/// Expects that nothing is left of jobs that have ended: no memory held for them, no step, pass or request under way.
/// - Parameter isHonest: whether the workers said the truth; if not, those they misled may have kept something.
func expectNothingLeft(
  _ cluster: SimulatedCluster, isHonest: Bool = true, sourceLocation: SourceLocation = #_sourceLocation
) {
  let options = cluster.options
  for worker in cluster.workers where isHonest {
    guard let engine = worker.shell.running?.engine else { continue }
    #expect(engine.isIdle, "\(worker.node) has work; \(options)", sourceLocation: sourceLocation)
    #expect(
      engine.steps.isEmpty && engine.followers.isEmpty, "\(worker.node) keeps steps; \(options)",
      sourceLocation: sourceLocation)
    #expect(engine.samplingStates.isEmpty, "\(worker.node) samples; \(options)", sourceLocation: sourceLocation)
    #expect(
      engine.keyValueBlocksInUse == 0, "\(worker.node) keeps KV blocks; \(options)", sourceLocation: sourceLocation)
  }
  for coordinator in cluster.coordinators {
    guard let core = coordinator.shell.core else { continue }
    #expect(core.jobs.isEmpty && core.steps.isEmpty, "\(coordinator.name); \(options)", sourceLocation: sourceLocation)
    #expect(coordinator.shell.sinks.isEmpty, "\(coordinator.name); \(options)", sourceLocation: sourceLocation)
    guard coordinator.failure == nil else { continue }
    #expect(core.scheduler.isIdle, "\(coordinator.name); \(options)", sourceLocation: sourceLocation)
    #expect(
      core.scheduler.blocksFree == core.scheduler.configuration.blockCount, "\(coordinator.name); \(options)",
      sourceLocation: sourceLocation)
  }
}
