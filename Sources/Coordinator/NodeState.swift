import Cluster
import Tensors
import Transport
import Wire

/// What the coordinator knows of one node.
struct NodeState {
  enum Phase: Hashable {
    /// It holds nothing: not dialled, waited for, or missed.
    case spare
    /// Where it listens is not known yet.
    case awaitingAddress
    /// The last try failed; the next one is at this time.
    case waitingToRedial(ContinuousClock.Instant)
    case dialing
    /// It was said hello to.
    case greeting
    /// It greeted back.
    case joined
    case preparing
    case prepared
    case activating
    case active
  }

  let index: NodeIndex
  let plan: NodePlan
  var phase = Phase.awaitingAddress
  var address: HostPort?
  var link: LinkID?
  /// Why it could not be reached so far.
  var lastFailure: String?
  /// When the present phase is over at the latest.
  var deadline: ContinuousClock.Instant
  /// When it last said something.
  var heardAt: ContinuousClock.Instant
  /// When it was last asked for a sign of life, and how often since it last said something.
  var pingedAt: ContinuousClock.Instant
  var unansweredPings = 0
  var bytesDone = -1
  var isServedWeights = false

  init(
    index: NodeIndex, plan: NodePlan, isSpare: Bool, now: ContinuousClock.Instant, deadline: ContinuousClock.Instant
  ) {
    if isSpare { phase = .spare }
    self.index = index
    self.plan = plan
    self.deadline = deadline
    address = plan.address
    heardAt = now
    pingedAt = now
  }

  var id: NodeID { plan.id }
  var isSpare: Bool { phase == .spare }
  /// Where the other nodes reach it.
  var addressForPeers: HostPort? {
    guard let advertised = plan.advertised else { return address }
    return advertised.port == 0 ? HostPort(host: advertised.host, port: address?.port ?? 0) : advertised
  }

  /// `cove (127.0.0.1:7071)`
  var name: String { address.map { "\(plan.id) (\($0))" } ?? "\(plan.id)" }

  /// Whether it is past its greeting, so that losing it loses a member of the cluster.
  var isMember: Bool {
    switch phase {
    case .joined, .preparing, .prepared, .activating, .active: true
    case .spare, .awaitingAddress, .waitingToRedial, .dialing, .greeting: false
    }
  }
}
