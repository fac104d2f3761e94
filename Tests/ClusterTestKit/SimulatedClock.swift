import Synchronization

/// The simulation's time, for those that measure.
final class SimulatedClock: Sendable {
  private let time = Mutex(ContinuousClock.now)

  var now: ContinuousClock.Instant { time.withLock { $0 } }
  func set(_ now: ContinuousClock.Instant) { time.withLock { $0 = now } }
}
