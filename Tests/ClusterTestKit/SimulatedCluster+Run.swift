import Transport
import Coordinator
import Worker

/// A simulation that got stuck; the message says how to repeat it.
public struct SimulationError: Error, CustomStringConvertible {
  public let description: String
}

extension SimulatedCluster {
  /// Most turns of one `run`; a cluster that takes more goes round in circles.
  public static let turnsMax = 4_000_000

  /// Gives everyone turns, in an order drawn from the seed, until `condition` holds or all jobs have ended and nobody
  /// has anything left to do. When nobody has anything to do before that, the clock moves on to the next deadline.
  /// - Throws: `SimulationError` when jobs are open and nothing is to happen any more, or too much happens.
  public func run(until condition: () -> Bool = { false }) throws {
    var idleTurns = 0
    for _ in 0..<Self.turnsMax {
      if condition() { return }
      let count = workers.count + coordinators.count + 1
      idleTurns = takeTurn(random.next(below: count)) ? 0 : idleTurns + 1
      guard idleTurns > 2 * count else { continue }
      if sweep() {
        idleTurns = 0
        continue
      }
      if jobs.allSatisfy(\.hasEnded) { return }
      guard wait() else {
        throw SimulationError(description: "jobs are open, but nothing is left to happen (\(options))")
      }
    }
    throw SimulationError(description: "no end after \(Self.turnsMax) turns (\(options))")
  }

  /// Runs until the newest coordinator takes jobs, or has given up.
  public func bringUp() throws {
    let coordinator = coordinator
    for _ in 0..<1000 where !coordinator.isReady && coordinator.failure == nil {
      try run { coordinator.isReady || coordinator.failure != nil }
      if coordinator.isReady || coordinator.failure != nil { return }
      guard wait() else { break }
    }
  }

  /// Runs through a time in which nobody outside wants anything.
  public func pass(_ duration: Duration) throws {
    let end = elapsed + duration
    repeat {
      while sweep() {}
    } while wait(atMost: end)
    elapsed = end
    while sweep() {}
  }

  /// Everyone in turn; whether anybody did anything.
  private func sweep() -> Bool {
    var hasWorked = net.releaseOne(isCertain: true)
    if state.writeOne(true) { hasWorked = true }
    for turn in 0..<workers.count + coordinators.count where takeTurn(turn) { hasWorked = true }
    return hasWorked
  }

  private func takeTurn(_ turn: Int) -> Bool {
    if turn < workers.count {
      let worker = workers[turn]
      guard !hung.contains(worker.node) else { return false }
      let hasWorked = worker.shell.advance(now: now)
      worker.pulse.isWorking = hasWorked
      return hasWorked
    }
    let index = turn - workers.count
    guard index < coordinators.count else { return state.writeOne(random.next(below: 2) == 0) || net.releaseOne() }
    return coordinators[index].shell.advance(now: now)
  }

  /// Moves the clock on to the next deadline; false when there is none (or none before `end`).
  private func wait(atMost end: Duration? = nil) -> Bool {
    let alive = workers.filter { !hung.contains($0.node) }
    let deadlines = alive.compactMap(\.shell.nextDeadline) + coordinators.compactMap(\.shell.nextDeadline)
    guard let next = deadlines.min() else { return false }
    let time = max(elapsed, next - start)
    if let end, time > end { return false }
    elapsed = time
    log.append(.waited(elapsed))
    return true
  }
}
