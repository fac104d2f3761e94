import Tensors
import Cluster
import Engine
import Scheduling

/// How long nodes take to answer, and which of their answers are late: so late that of a hundred answers of that node
/// hardly one was.
struct AnswerTimes {
  /// One part of an exchange that a node was sent.
  struct Part: Hashable {
    let key: ExchangeKey
    let part: Int
  }

  private struct Open {
    let node: Int
    let rowCount: Int
    let sentAt: ContinuousClock.Instant
    /// When another node is asked as well; nil while too little is known of this one, or when it has been.
    var lateAt: ContinuousClock.Instant?
  }

  private struct Kind: Hashable {
    let node: Int
    let phase: StepPhase
  }

  private var open: [Part: Open] = [:]
  private var records: [Kind: LatencyRecord] = [:]

  /// An answer is late when it takes so much longer than 99 of 100 did: the quantile itself would be passed all the time.
  private static let patience = 2.0

  /// A node was sent rows.
  /// - Parameter canResend: whether somebody else could answer as well.
  mutating func sent(
    _ part: Part, to node: Int, rowCount: Int, canResend: Bool, at now: ContinuousClock.Instant
  ) {
    prune(before: part.key)
    let usual = canResend ? records[Kind(node: node, phase: part.key.phase)]?.quantile(0.99) : nil
    open[part] = Open(node: node, rowCount: rowCount, sentAt: now, lateAt: usual.map { now + $0 * Self.patience })
  }

  /// A node has answered: how long that took, and for how many rows. Nil for what is not waited for any more.
  mutating func answered(
    _ part: Part, by node: Int, at now: ContinuousClock.Instant
  ) -> (rowCount: Int, time: Duration)? {
    guard let sent = open[part], sent.node == node else { return nil }
    open[part] = nil
    let time = now - sent.sentAt
    records[Kind(node: node, phase: part.key.phase), default: LatencyRecord()].observe(time)
    return (sent.rowCount, time)
  }

  /// Parts of steps that ended long ago without an answer from the node itself (others answered in its place).
  private mutating func prune(before key: ExchangeKey) {
    guard open.count >= Self.openLimit else { return }
    open = open.filter {
      $0.key.key.step.rawValue &+ UInt64(Self.openLimit) > key.step.rawValue && $0.value.lateAt != nil
    }
  }

  private static let openLimit = 1024

  /// The parts whose answers are late now; each is named once.
  mutating func late(at now: ContinuousClock.Instant) -> [Part] {
    guard let next = nextDeadline, next <= now else { return [] }
    var late: [Part] = []
    for (part, sent) in open {
      guard let time = sent.lateAt, time <= now else { continue }
      open[part]?.lateAt = nil
      late.append(part)
    }
    return late.sorted { ($0.key.step, $0.key.layer.rawValue, $0.part) < ($1.key.step, $1.key.layer.rawValue, $1.part) }
  }

  /// Forgets what was sent for steps that are over, and to a node that is gone.
  mutating func forget(where isOver: (Part, _ node: Int) -> Bool) {
    for (part, sent) in open where isOver(part, sent.node) { open[part] = nil }
  }

  var nextDeadline: ContinuousClock.Instant? { open.values.lazy.compactMap(\.lateAt).min() }
}
