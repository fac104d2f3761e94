import JobStore
import Tensors
import Wire

/// Readings of what everyone has sent, taken in rounds: all nodes are asked, then this process's own are read.
struct CountersBook {
  /// One reading of everyone.
  struct Reading: Hashable {
    /// Of this process.
    var own = TrafficCounters()
    /// By node.
    var nodes: [NodeID: NodeCounters] = [:]
  }

  /// The last complete reading, or all zeros.
  private(set) var latest = Reading()
  /// Nodes still to answer in the round under way; nil when there is none.
  private var awaited: Set<NodeID>?
  private var partial = Reading()
  private(set) var deadline: ContinuousClock.Instant?
  /// Jobs that began, or ended, before the round under way; and those since.
  private var serving: [JobID] = []
  private var queued: [JobID] = []

  var isUnderWay: Bool { awaited != nil }
  var isWanted: Bool { !queued.isEmpty }

  /// A job wants a reading that is taken from now on.
  mutating func want(_ job: JobID) { queued.append(job) }

  mutating func forget(_ job: JobID) {
    queued.removeAll { $0 == job }
    serving.removeAll { $0 == job }
  }

  /// - Parameter asked: nodes that will answer.
  mutating func begin(asking asked: Set<NodeID>, deadline: ContinuousClock.Instant) {
    awaited = asked
    partial = latest
    serving = queued
    queued = []
    self.deadline = deadline
  }

  /// Takes an answer in; whether it was the last one.
  mutating func answered(node: NodeID, _ counters: NodeCounters) -> Bool {
    guard awaited?.remove(node) != nil else { return false }
    partial.nodes[node] = counters
    return awaited?.isEmpty ?? false
  }

  /// A node is gone; what it sent since the last reading is not known. A round under way ends at its deadline.
  mutating func lose(_ node: NodeID) { _ = awaited?.remove(node) }

  /// Ends the round, with what has come; returns the jobs that wanted it.
  mutating func finish(own: TrafficCounters) -> [JobID] {
    guard awaited != nil else { return [] }
    partial.own = own
    latest = partial
    awaited = nil
    deadline = nil
    defer { serving = [] }
    return serving
  }

  /// What was sent since `baseline`.
  func usage(since baseline: Reading, names: [NodeID]) -> WireUsage {
    // A node may bear the coordinator's name; no node's name has parentheses.
    let ownName = names.contains(WireUsage.coordinatorName) ? "(coordinator)" : WireUsage.coordinatorName
    var nodes = [NodeTraffic(node: ownName, counters: latest.own.since(baseline.own))]
    for name in names {
      let now = latest.nodes[name]?.traffic ?? TrafficCounters()
      nodes.append(NodeTraffic(node: name, counters: now.since(baseline.nodes[name]?.traffic ?? TrafficCounters())))
    }
    return WireUsage(nodes: nodes)
  }

  /// What nodes did since `baseline`; those that never told are left out.
  func work(since baseline: Reading, names: [NodeID]) -> [NodeWork] {
    names.compactMap { name in
      guard let now = latest.nodes[name] else { return nil }
      let earlier = baseline.nodes[name] ?? NodeCounters()
      return NodeWork(
        node: name, decode: now.decode.since(earlier.decode), prefill: now.prefill.since(earlier.prefill),
        peakMemoryBytes: now.peakMemoryBytes)
    }
  }
}

extension WorkTally {
  /// What came on top of an earlier reading; all of it where the numbers went back (another process answers now).
  func since(_ earlier: WorkTally) -> WorkTally { isLater(than: earlier) ? self - earlier : self }
}

extension TrafficCounters {
  /// What came on top of an earlier reading; all of it where the numbers went back (another process answers now).
  func since(_ earlier: TrafficCounters) -> TrafficCounters {
    let isLater =
      dataBytes >= earlier.dataBytes && controlBytes >= earlier.controlBytes && weightBytes >= earlier.weightBytes
      && dataFrames >= earlier.dataFrames && controlFrames >= earlier.controlFrames
      && weightFrames >= earlier.weightFrames && roundTrips >= earlier.roundTrips
    return isLater ? self - earlier : self
  }
}
