import Scheduling
import Tensors
import Wire

/// Deadlines: nothing waits for ever, and a silent node is asked for a sign of life.
extension CoordinatorCore {
  /// When `tick` is due at the latest; nil when only events matter.
  var nextDeadline: ContinuousClock.Instant? {
    var times: [ContinuousClock.Instant] = []
    for node in nodes {
      switch phase {
      case .starting where !node.isMember && !node.isSpare, .preparing where node.phase == .preparing,
        .activating where node.phase == .activating:
        times.append(node.deadline)
      default: break
      }
      if case .waitingToRedial(let time) = node.phase, case .starting = phase { times.append(time) }
      if node.link != nil, node.isMember {
        times.append(pingTime(of: node))
      }
    }
    if let time = book.deadline { times.append(time) }
    times += clients.values.compactMap(\.greetingDeadline)
    if let oldest = steps.values.map(\.startedAt).min() { times.append(oldest + configuration.timeouts.step) }
    return times.min()
  }

  /// Does what is due.
  mutating func checkTimes(now: ContinuousClock.Instant) {
    for index in nodes.indices { checkNode(index, now: now) }
    if let deadline = book.deadline, now >= deadline { directives.append(.readCounters) }
    for link in clients.keys.sorted() {
      if let deadline = clients[link]?.greetingDeadline, now >= deadline { drop(link, "no hello came", now: now) }
    }
    let late = steps.values.filter { now >= $0.startedAt + configuration.timeouts.step }.map(\.batch.id).min()
    if let late {
      let limit = Int(configuration.timeouts.step.seconds)
      let host = nodes[lastHost]
      failCluster(
        CoordinatorError(
          .stepFailed, node: host.id,
          "step \(late) was not answered within \(limit) seconds; its answer was to come from the worker \(host.name)"),
        now: now)
    }
  }

  private mutating func checkNode(_ index: Int, now: ContinuousClock.Instant) {
    let node = nodes[index]
    switch (phase, node.phase) {
    case (.starting, _) where !node.isMember && !node.isSpare && now >= node.deadline: unreachable(node, now: now)
    case (.starting, .waitingToRedial(let time)) where now >= time: dial(index)
    case (.preparing, .preparing) where now >= node.deadline:
      failCluster(
        CoordinatorError(
          .prepareFailed, node: node.id,
          "the worker \(node.name) did not get on with its weights for "
            + "\(Int(configuration.timeouts.prepare.seconds)) seconds"), now: now)
    case (.activating, .activating) where now >= node.deadline:
      failCluster(
        CoordinatorError(.prepareFailed, node: node.id, "the worker \(node.name) did not switch to its placement"),
        now: now)
    default: break
    }
    guard node.isMember, nodes[index].link != nil, now >= pingTime(of: node) else { return }
    if node.unansweredPings >= configuration.timeouts.unansweredPings {
      failCluster(
        CoordinatorError(
          .workerLost, node: node.id,
          "the worker \(node.name) was lost: nothing was heard of it for "
            + "\(Int((now - node.heardAt).seconds)) seconds"), now: now)
    } else {
      nodes[index].pingedAt = now
      nodes[index].unansweredPings += 1
      nonce += 1
      send(.ping(Heartbeat(nonce: nonce, progress: 0)), toNode: index)
    }
  }

  private func pingTime(of node: NodeState) -> ContinuousClock.Instant {
    max(node.heardAt, node.pingedAt) + configuration.timeouts.ping
  }

  private mutating func unreachable(_ node: NodeState, now: ContinuousClock.Instant) {
    let waited = Int(configuration.timeouts.reach.seconds)
    let message =
      switch node.phase {
      case .awaitingAddress: "the local worker \(node.id) did not say within \(waited) seconds where it listens"
      case .greeting: "the worker \(node.name) did not answer within \(waited) seconds; is it a shoal worker?"
      default:
        "the worker \(node.name) cannot be reached (tried for \(waited) seconds): \(node.lastFailure ?? "no answer")"
      }
    failCluster(CoordinatorError(.unreachable, node: node.id, message), now: now)
  }
}
