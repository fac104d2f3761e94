import Cluster
import Tensors
import Transport
import Wire

/// What the hosts say of the use of experts and of each other's speed, and who wants to know.
struct LoadBook {
  /// A client that waits for an answer.
  struct Question {
    let request: UInt64
    let link: LinkID
    let deadline: ContinuousClock.Instant
    var awaited: Set<NodeID>
  }

  private(set) var use: ExpertUse
  /// Nanoseconds a node takes for one row of one expert, the last that each host said.
  private var speeds: [NodeID: [NodeID: UInt64]] = [:]
  private var questions: [Question] = []

  /// Clients that may wait.
  private static let questionLimit = 256

  init(_ facts: ModelFacts) { use = ExpertUse(facts) }

  mutating func ask(_ hosts: Set<NodeID>, for request: UInt64, of link: LinkID, deadline: ContinuousClock.Instant) {
    if questions.count >= Self.questionLimit { questions.removeFirst() }
    questions.append(Question(request: request, link: link, deadline: deadline, awaited: hosts))
  }

  /// Takes a report in that somebody has asked for.
  mutating func take(_ report: ExpertUseReport, from host: NodeID, known: Set<NodeID>) {
    guard questions.contains(where: { $0.awaited.contains(host) }) else { return }
    speeds = speeds.filter { known.contains($0.key) }
    for layer in report.layers { use.add(layer: layer.layer, counts: layer.counts, node: host) }
    for speed in report.speeds where known.contains(speed.node) {
      speeds[speed.node, default: [:]][host] = speed.rowNanoseconds
    }
    for index in questions.indices { questions[index].awaited.remove(host) }
  }

  /// The questions for which all has come, or whose time is over.
  mutating func answerable(now: ContinuousClock.Instant) -> [Question] {
    let ready = questions.filter { $0.awaited.isEmpty || $0.deadline <= now }
    questions.removeAll { $0.awaited.isEmpty || $0.deadline <= now }
    return ready
  }

  var nextDeadline: ContinuousClock.Instant? { questions.lazy.map(\.deadline).min() }

  /// The use of each layer's experts.
  func layers(_ facts: ModelFacts) -> [LoadReport.Layer] {
    facts.layers.compactMap { layer in
      guard facts.expertCount(layer) > 0 else { return nil }
      return LoadReport.Layer(
        layer: layer, weights: use.shares(layer).map { Float($0) })
    }
  }

  /// The mean over all hosts.
  var rowNanoseconds: [NodeID: UInt64] {
    speeds.mapValues { said in
      // A message may say 2^56, and hosts are many: no sum may overflow.
      UInt64(said.values.reduce(0.0) { $0 + Double($1) } / Double(max(1, said.count)))
    }
  }
}
