import ClusterTestKit
import Foundation
import ModelSpec
import Testing

/// Edits, losses and crashes at any moment: no accepted job is lost, no token is another.
@Suite struct ElasticTests {
  /// Seeds of one test case, so that cases run side by side.
  private static let batch: UInt64 = 50

  static let batches: [ClosedRange<UInt64>] = {
    let all = Seeds.upTo(1000)
    return stride(from: all.lowerBound, through: all.upperBound, by: Int(batch)).map { first in
      first...min(first + batch - 1, all.upperBound)
    }
  }()

  @Test("schedules of edits, losses, crashes: every job ends as undisturbed, nothing is left", arguments: batches)
  func schedules(seeds: ClosedRange<UInt64>) throws {
    let model = try ElasticChecks.model.get()
    for seed in seeds {
      let problems = ElasticChecks.problems(seed: seed)
      guard !problems.isEmpty else { continue }
      let schedule = ElasticSchedule(seed: seed, spec: model.spec, requests: ElasticChecks.requests.count)
      Issue.record("\(problems.joined(separator: "\n"))\n\(schedule)")
    }
  }

  /// Schedules that once went wrong, and how.
  static let found: [(seed: UInt64, what: String)] = [
    (72, "an edit of `sequences` during a switch gave the schedule more than the caches had room for"),
    (176, "with workers missing at the start the coordinator span"),
    (475, "a change that was given up left its weights in memory"),
    (119, "a worker that came back without a share kept the weights of earlier days"),
    (64, "a client that attached again after a crash was told tokens twice"),
  ]

  @Test("schedules that once went wrong go right", arguments: found.indices)
  func regressions(index: Int) {
    let (seed, what) = Self.found[index]
    let problems = ElasticChecks.problems(seed: seed)
    #expect(problems.isEmpty, "\(what), seed \(seed): \(problems)")
  }
}
