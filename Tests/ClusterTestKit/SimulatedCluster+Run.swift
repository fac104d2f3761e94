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
      let count = participantCount
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

  /// Lives on until a time, in an order drawn from the seed, and then for some turns more, in the middle of whatever
  /// happens then.
  public func live(until end: Duration, turns: Int = 0) throws {
    try live { self.wait(atMost: end) }
    if elapsed < end { elapsed = end }
    for _ in 0..<turns { _ = takeTurn(random.next(below: participantCount)) }
  }

  /// Lives on until nobody has anything to do for now and `isQuiet` holds.
  /// - Returns: false when that is not so by `end`, or nothing is to happen any more.
  public func settle(by end: Duration, _ isQuiet: () -> Bool) throws -> Bool {
    var hasSettled = false
    try live {
      hasSettled = isQuiet()
      return !hasSettled && self.wait(atMost: end)
    }
    return hasSettled
  }

  /// Gives everyone turns; `goOn` is asked whenever nobody has anything to do.
  private func live(_ goOn: () -> Bool) throws {
    var idleTurns = 0
    for _ in 0..<Self.turnsMax {
      let count = participantCount
      idleTurns = takeTurn(random.next(below: count)) ? 0 : idleTurns + 1
      guard idleTurns > count else { continue }
      idleTurns = 0
      if !sweep(), !goOn() { return }
    }
    throw SimulationError(description: "no end after \(Self.turnsMax) turns (\(options))")
  }

  /// Everyone in turn; whether anybody did anything.
  private func sweep() -> Bool {
    var hasWorked = net.releaseOne(isCertain: true, forge: forge)
    if state.writeOne(true) { hasWorked = true }
    for turn in 0..<participantCount - 1 where takeTurn(turn) { hasWorked = true }
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
    if index < coordinators.count { return coordinators[index].shell.advance(now: now) }
    if index < coordinators.count + clients.count { return clients[index - coordinators.count].advance() }
    return state.writeOne(random.next(below: 2) == 0) || net.releaseOne(forge: forge)
  }

  /// All that have turns: processes, clients, and the network with the disk.
  private var participantCount: Int { workers.count + coordinators.count + clients.count + 1 }

  /// Moves the clock on to the next deadline; false when there is none (or none before `end`).
  private func wait(atMost end: Duration? = nil) -> Bool {
    let alive = workers.filter { !hung.contains($0.node) }
    let deadlines = alive.compactMap(\.shell.nextDeadline) + coordinators.compactMap(\.shell.nextDeadline)
    let arrival = net.faults.isFrozen ? nil : net.nextArrival.map { start + $0 }
    guard let next = (deadlines + [arrival].compactMap { $0 }).min() else { return false }
    let time = max(elapsed, next - start)
    if let end, time > end { return false }
    elapsed = time
    log.append(.waited(elapsed))
    return true
  }
}
