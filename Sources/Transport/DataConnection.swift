import Cluster
import Tensors
import Wire

/// What is known of one peer, and how far the connection to it is.
///
/// Two may ask for a connection: the running placement, which gives it up after a while, and `reach`, which does not.
final class DataConnection {
  enum Phase {
    /// Nobody tries to make it.
    case idle
    /// This side dials, and begins the next attempt at that time.
    case waiting(until: ContinuousClock.Instant)
    /// The name of the peer's host is being looked up.
    case resolving
    /// The socket is connecting.
    case connecting
    /// Preface and hello are sent, the peer's are awaited.
    case greeting
    /// The peer is to dial.
    case expected
    case open
  }

  let id: NodeID
  /// Whether this side dials.
  let dials: Bool
  var address: HostPort
  /// Its index in the running placement; nil when the placement does not use it.
  var index: NodeIndex?
  /// Why the running placement has lost it.
  var loss: TransportError?
  /// Whether `reach` asks for it.
  var isWanted = false
  var phase = Phase.idle
  var socket: DataSocket?
  /// When the running placement gives it up, should it not be open then.
  var deadline: ContinuousClock.Instant
  /// When it is told that it cannot be reached, should it not be open then.
  var reportTime: ContinuousClock.Instant
  /// When the attempt under way is given up.
  var attemptEnd: ContinuousClock.Instant
  /// Whether the attempt was prolonged because the peer has sent its preface.
  var isProlonged = false
  /// What the address resolves to; looked up at the first attempt.
  var resolved: [SocketAddress] = []
  /// Attempts since it was looked up.
  var attempts = 0
  /// Why the last attempt failed.
  var failure: TransportError?
  var acknowledgements = AcknowledgementWatch()
  /// Frames of the running placement that wait for the connection to open.
  let early = StreamBuffer(capacity: 64)

  init(_ peer: DataPeer, dials: Bool, now: ContinuousClock.Instant) {
    id = peer.id
    address = peer.address
    self.dials = dials
    deadline = now
    reportTime = now
    attemptEnd = now
  }

  var isOpen: Bool { if case .open = phase { true } else { false } }
  /// Whether something has to happen at some time, even when nothing arrives.
  var isUnsettled: Bool {
    switch phase {
    case .idle, .open: false
    default: true
    }
  }
  /// Whether the running placement sends and receives over it.
  var isConfigured: Bool { index != nil && loss == nil }
  /// Whether somebody asks for it.
  var isNeeded: Bool { isConfigured || isWanted }

  /// Who is meant, for messages.
  var name: String { "\(id) at \(address)" }

  func endSocket() {
    socket?.end()
    socket = nil
    acknowledgements = AcknowledgementWatch()
  }

  /// Begins to make it, when nobody does yet.
  func begin(_ now: ContinuousClock.Instant) {
    switch phase {
    case .idle, .waiting: phase = dials ? .waiting(until: now) : .expected
    default: break
    }
  }

  /// When to look at it again; nil when only its socket can bring news.
  var nextLook: ContinuousClock.Instant? {
    guard isUnsettled else { return nil }
    var times: [ContinuousClock.Instant] = []
    if isConfigured { times.append(deadline) }
    if isWanted { times.append(reportTime) }
    switch phase {
    case .waiting(let time): times.append(time)
    case .connecting, .greeting: times.append(attemptEnd)
    default: break
    }
    return times.min()
  }
}

/// An accepted connection whose peer is not known, or not expected yet.
final class StrangerConnection {
  let socket: DataSocket
  let deadline: ContinuousClock.Instant
  var hello: PeerHello?
  /// The placement under which it takes frames of this worker; 0 when none.
  var epoch = PlacementEpoch(rawValue: 0)

  init(_ socket: DataSocket, deadline: ContinuousClock.Instant) {
    self.socket = socket
    self.deadline = deadline
  }
}
