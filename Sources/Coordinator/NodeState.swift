import Cluster
import ModelSpec
import Tensors
import Transport
import Wire

/// What the coordinator knows of one node.
struct NodeState {
  enum Phase: Hashable {
    /// Where it listens is not known yet.
    case awaitingAddress
    /// The last try failed; the next one is at this time.
    case waitingToRedial(ContinuousClock.Instant)
    case dialing
    /// It was said hello to; this long it may take to answer.
    case greeting(ContinuousClock.Instant)
    /// It greeted back.
    case joined
  }

  var plan: NodePlan
  var phase = Phase.awaitingAddress
  var address: HostPort?
  var link: LinkID?
  /// Why it is not there, or what it last failed of.
  var lastFailure: String?
  /// Tries in a row that failed.
  var failures = 0
  var watch: NodeWatch
  var capabilities: NodeCapabilities?
  /// Pieces that it has in memory, as far as is known.
  var held: Set<PieceID> = []
  /// Whether it may hold more than the running placement gives it: after a change that was given up, or an earlier
  /// coordinator's.
  var mayHoldMore = false
  /// Until when it must have got on with its weights.
  var prepareDeadline: ContinuousClock.Instant?
  var bytesDone = -1
  var isServedWeights = false
  /// Bytes of weights that it had acknowledged when that was last looked at.
  var weightsSent: UInt64 = 0
  /// Until when nothing is given to it, after it could not get ready.
  var unfitUntil: ContinuousClock.Instant?

  init(plan: NodePlan, limits: NodeWatch.Limits, now: ContinuousClock.Instant) {
    self.plan = plan
    address = plan.address
    watch = NodeWatch(limits, now: now)
  }

  var id: NodeID { plan.id }
  /// Where the other nodes reach it.
  var addressForPeers: HostPort? {
    guard let advertised = plan.advertised else { return address }
    return advertised.port == 0 ? HostPort(host: advertised.host, port: address?.port ?? 0) : advertised
  }

  /// `cove (127.0.0.1:7071)`
  var name: String { address.map { "\(plan.id) (\($0))" } ?? "\(plan.id)" }

  var isJoined: Bool { phase == .joined }

  /// Most bytes it may hold; nil when nobody has said.
  var memoryLimit: Int? {
    plan.memoryBytes ?? capabilityLimit
  }

  /// What its worker says that it may hold.
  var capabilityLimit: Int? {
    guard let bytes = capabilities?.memoryBytes, bytes > 0 else { return nil }
    return bytes
  }
}
