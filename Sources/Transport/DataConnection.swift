import Cluster
import Tensors
import Wire

/// What is known of one peer, and how far the connection to it is.
final class DataConnection {
  enum Phase {
    /// This side dials, and begins the next attempt at that time.
    case waiting(until: ContinuousClock.Instant)
    /// The socket is connecting.
    case connecting
    /// Preface and hello are sent, the peer's are awaited.
    case greeting
    /// The peer is to dial.
    case expected
    case open
    case lost(TransportError)
  }

  let id: NodeID
  var index: NodeIndex?
  var address: HostPort
  var phase: Phase
  var socket: DataSocket?
  /// When a connection that is not open yet is given up.
  var deadline: ContinuousClock.Instant
  /// What the address resolves to; looked up at the first attempt.
  var resolved: [SocketAddress] = []
  var attempts = 0
  /// Why the last attempt failed.
  var failure: TransportError?
  /// Frames that wait for the connection to open.
  let early = StreamBuffer(capacity: 64)

  init(_ peer: DataPeer, phase: Phase, deadline: ContinuousClock.Instant) {
    id = peer.id
    index = peer.index
    address = peer.address
    self.phase = phase
    self.deadline = deadline
  }

  var isOpen: Bool { if case .open = phase { true } else { false } }
  var isLost: Bool { if case .lost = phase { true } else { false } }
  /// Whether something has to happen at some time, even when nothing arrives.
  var isUnsettled: Bool { !isOpen && !isLost }

  func endSocket() {
    socket?.end()
    socket = nil
  }

  /// When to look at it again; nil when only its socket can bring news.
  var nextLook: ContinuousClock.Instant? {
    switch phase {
    case .waiting(let time): min(time, deadline)
    case .connecting, .greeting, .expected: deadline
    case .open, .lost: nil
    }
  }
}

/// An accepted connection whose peer is not known, or not expected yet.
final class StrangerConnection {
  let socket: DataSocket
  let deadline: ContinuousClock.Instant
  var hello: PeerHello?

  init(_ socket: DataSocket, deadline: ContinuousClock.Instant) {
    self.socket = socket
    self.deadline = deadline
  }
}
