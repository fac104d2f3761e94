public import Cluster
public import ModelSpec
public import Tensors

/// One thing that happens to a simulated cluster.
public enum ElasticEvent: Sendable, Hashable {
  /// Somebody wants the answer to a request, by a client that can come back for it or by one that cannot.
  case submit(request: Int, isDurable: Bool)
  /// A job is no longer wanted: the one of that submission.
  case cancel(submission: Int)
  /// The topology is saved.
  case edit(Placement, sequences: Int)
  /// Something that is no topology is saved.
  case wrongEdit
  case kill(NodeID)
  case start(NodeID, keepsStore: Bool)
  /// The engine's thread does nothing any more.
  case hang(NodeID)
  case resume(NodeID)
  /// Connections break. Nil is the coordinator.
  case cut(NodeID, NodeID?)
  /// Connections break and cannot be made until they are healed.
  case part(NodeID, NodeID?)
  case heal(NodeID, NodeID?)
  /// Nothing arrives for so many milliseconds.
  case stall(NodeID, NodeID?, Int)
  /// The coordinator's process ends, and with `keep` its machine: so much of 256 of what was not synced is kept.
  case crash(keep: UInt8?)
  /// A coordinator starts, when there is none.
  case restart
}

/// What happens to a simulated cluster and when; drawn from a seed, which gives the same every time.
public struct ElasticSchedule: Sendable, CustomStringConvertible {
  /// Something and when it happens.
  public struct Moment: Sendable {
    /// Milliseconds after the one before.
    public let pause: Int
    /// Turns of the simulation after that.
    public let turns: Int
    public let event: ElasticEvent
  }

  public let seed: UInt64
  /// Nodes that there are; any of them may be in a placement.
  public let nodes: [NodeID]
  public let placement: Placement
  public let sequences: Int
  public let prefillChunk: Int
  public let subBatchRows: Int
  /// Most microseconds that a packet travels.
  public let latency: Int
  /// Probabilities for each packet, while the events happen.
  public let spike: Double
  public let drop: Double
  public let duplicate: Double
  public let cut: Double
  public let moments: [Moment]

  /// Draws one.
  /// - Parameter requests: how many different requests there are.
  public init(seed: UInt64, spec: ModelSpec, requests: Int) {
    var random = SeededRandom(seed: seed)
    self.seed = seed
    let pool = Array(Placement.nodeNames.prefix(random.next(in: 3...6)))
    nodes = pool
    let count = random.next(in: 2...pool.count)
    let first = Placement(random: &random, spec: spec, nodes: Array(pool.shuffled(using: &random).prefix(count)))
    placement = first
    sequences = random.next(in: 1...4)
    prefillChunk = random.pick([5, 16, 64])
    subBatchRows = random.pick([4, 16, 64])
    latency = random.pick([200, 1000, 5000])
    spike = random.pick([0, 0, 0.002, 0.02])
    drop = random.pick([0, 0, 0, 0, 0.001])
    duplicate = random.pick([0, 0, 0.01])
    cut = random.pick([0, 0, 0, 0.0005])
    var source = ElasticSource(random: random, spec: spec, pool: pool, placement: first, requests: requests)
    let moments = source.moments()
    // From numbers of its own, so that the rest stays what it is.
    source.random = SeededRandom(seed: ~seed)
    self.moments = moments + source.overtaking() + source.hedging(latency: latency)
  }

  public var description: String {
    var lines = [
      "schedule \(seed): nodes \(nodes.map(\.rawValue).joined(separator: ",")), sequences \(sequences), chunk "
        + "\(prefillChunk), passes of \(subBatchRows), latency \(latency) us, spike \(spike), drop \(drop), duplicate "
        + "\(duplicate), cut \(cut)",
      "  starts with \(placement.short)",
    ]
    for moment in moments { lines.append("  +\(moment.pause) ms, \(moment.turns) turns: \(moment.event)") }
    return lines.joined(separator: "\n")
  }
}

extension ElasticEvent: CustomStringConvertible {
  public var description: String {
    func name(_ node: NodeID?) -> String { node?.rawValue ?? "the coordinator" }
    return switch self {
    case .submit(let request, let isDurable): "submit request \(request)\(isDurable ? ", durable" : "")"
    case .cancel(let submission): "cancel submission \(submission)"
    case .edit(let placement, let sequences): "edit to \(placement.short), sequences \(sequences)"
    case .wrongEdit: "a wrong edit"
    case .kill(let node): "kill \(node)"
    case .start(let node, let keepsStore): "start \(node)\(keepsStore ? "" : " with an empty store")"
    case .hang(let node): "hang \(node)"
    case .resume(let node): "resume \(node)"
    case .cut(let node, let other): "cut \(node) - \(name(other))"
    case .part(let node, let other): "part \(node) - \(name(other))"
    case .heal(let node, let other): "heal \(node) - \(name(other))"
    case .stall(let node, let other, let time): "stall \(node) - \(name(other)) for \(time) ms"
    case .crash(let keep): "crash of the coordinator" + (keep.map { " and its machine, keeping \($0)" } ?? "")
    case .restart: "restart of the coordinator"
    }
  }
}
