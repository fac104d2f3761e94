import Cluster
import Testing

/// A watch that can be asked within an expectation.
private final class Watch {
  private var watch: NodeWatch

  init(_ limits: NodeWatch.Limits, now: ContinuousClock.Instant) { watch = NodeWatch(limits, now: now) }

  var nextLook: ContinuousClock.Instant { watch.nextLook }
  func check(now: ContinuousClock.Instant) -> NodeWatch.Verdict { watch.check(now: now) }
  func heard(at now: ContinuousClock.Instant) { watch.heard(at: now) }
  func count(_ sample: NodeWatch.Sample, at now: ContinuousClock.Instant) { watch.count(sample, at: now) }
  func answered(progress: UInt64, isWorking: Bool, at now: ContinuousClock.Instant) {
    watch.answered(progress: progress, isWorking: isWorking, at: now)
  }
}

@Suite struct NodeWatchTests {
  private let start = ContinuousClock.now
  private let limits = NodeWatch.Limits()

  private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

  @Test("a silent node is asked three times and is lost in less than a second")
  func silence() {
    let watch = Watch(limits, now: start)
    #expect(watch.check(now: at(199)) == .fine)
    #expect(watch.check(now: at(200)) == .ask)
    #expect(watch.check(now: at(201)) == .fine && watch.nextLook == at(400))
    #expect(watch.check(now: at(400)) == .ask && watch.check(now: at(600)) == .ask)
    guard case .lost(let reason) = watch.check(now: at(800)) else {
      Issue.record("it is not lost")
      return
    }
    #expect(reason.contains("0.8 seconds"))
  }

  @Test("a pause of the watcher itself is no silence of the node")
  func pause() {
    let watch = Watch(limits, now: start)
    #expect(watch.check(now: at(200)) == .ask)
    #expect(watch.check(now: at(3_600_000)) == .ask, "only one question was unanswered")
    watch.answered(progress: 1, isWorking: false, at: at(3_600_010))
    #expect(watch.check(now: at(3_600_209)) == .fine)
  }

  @Test("any byte from the node is a sign of life, as are acknowledgements while more is on its way")
  func signs() {
    func isAlive(_ samples: [NodeWatch.Sample]) -> Bool {
      let watch = Watch(limits, now: start)
      for (index, sample) in samples.enumerated() {
        let now = at(200 * (index + 1))
        watch.count(sample, at: now)
        if case .lost = watch.check(now: now) { return false }
      }
      return true
    }
    let still = (0..<10).map { _ in NodeWatch.Sample(received: 5, acknowledged: 9, pending: 100) }
    #expect(!isAlive(still))
    #expect(isAlive((0..<10).map { NodeWatch.Sample(received: UInt64($0), acknowledged: 9, pending: 0) }))
    #expect(isAlive((0..<10).map { NodeWatch.Sample(received: 5, acknowledged: UInt64($0), pending: 100) }))
    let stopped = (0..<10).map { NodeWatch.Sample(received: 5, acknowledged: UInt64($0), pending: 0) }
    #expect(!isAlive(stopped), "the system of a stopped process acknowledges what fits its buffers")
    let reset = (0..<10).map { NodeWatch.Sample(received: UInt64(20 - $0), acknowledged: 9, pending: 100) }
    #expect(!isAlive(reset), "counts of another connection prove nothing")
  }

  @Test("an engine that works and gets nowhere hangs; one that gets on, or has nothing to do, does not")
  func hangs() {
    func verdict(_ pong: (Int) -> (UInt64, Bool)) -> NodeWatch.Verdict {
      let watch = Watch(limits, now: start)
      var verdict = NodeWatch.Verdict.fine
      for second in 0...40 {
        let (progress, isWorking) = pong(second)
        watch.answered(progress: progress, isWorking: isWorking, at: at(second * 1000))
        verdict = watch.check(now: at(second * 1000 + 1))
        if verdict != .fine { return verdict }
      }
      return verdict
    }
    #expect(verdict { _ in (7, true) } == .lost("has been stuck in one piece of work for 30 seconds"))
    #expect(verdict { (UInt64($0), true) } == .fine)
    #expect(verdict { _ in (7, false) } == .fine)
    #expect(verdict { (7, $0 % 2 == 0) } == .fine)
  }

  @Test("what the engine's thread says itself shows that it does not hang")
  func messages() {
    let watch = Watch(limits, now: start)
    for second in 0...60 {
      watch.answered(progress: 7, isWorking: true, at: at(second * 1000))
      if second == 20 { watch.heard(at: at(second * 1000)) }
      let verdict = watch.check(now: at(second * 1000 + 1))
      #expect((verdict == .fine) == (second < 50), "second \(second)")
    }
  }

  @Test("the next look is never before the last sign of life and its pause")
  func nextLook() {
    let watch = Watch(limits, now: start)
    watch.heard(at: at(1000))
    #expect(watch.nextLook == at(1200))
    watch.heard(at: at(500))
    #expect(watch.nextLook == at(1200))
  }
}
