public import Cluster
public import Tensors
public import Wire

/// Another worker, as a placement names it.
public struct DataPeer: Sendable, Hashable {
  public let index: NodeIndex
  public let id: NodeID
  public let address: HostPort

  public init(index: NodeIndex, id: NodeID, address: HostPort) {
    self.index = index
    self.id = id
    self.address = address
  }
}

/// Who this worker is and whom it may talk to.
public struct DataPlaneConfiguration: Sendable, Hashable {
  public let node: NodeID
  public let cluster: ClusterID
  public let term: CoordinatorTerm
  public let epoch: PlacementEpoch
  /// The other workers; an entry for this node itself is ignored.
  public let peers: [DataPeer]

  public init(
    node: NodeID, cluster: ClusterID, term: CoordinatorTerm, epoch: PlacementEpoch, peers: [DataPeer]
  ) {
    self.node = node
    self.cluster = cluster
    self.term = term
    self.epoch = epoch
    self.peers = peers
  }
}

/// As whom a worker greets its peers: connections are made between workers of one cluster under one coordinator.
public struct DataIdentity: Sendable, Hashable {
  /// What this worker is called.
  public let node: NodeID
  public let cluster: ClusterID
  public let term: CoordinatorTerm

  public init(node: NodeID, cluster: ClusterID, term: CoordinatorTerm) {
    self.node = node
    self.cluster = cluster
    self.term = term
  }
}

extension DataPlaneConfiguration {
  /// As whom the worker greets the peers of this placement.
  public var identity: DataIdentity { DataIdentity(node: node, cluster: cluster, term: term) }
}

/// What happens between workers.
public enum DataEvent {
  /// The connection to a peer stands; comes after each `configure` once for every peer that is reached.
  case connected(NodeIndex)
  /// A frame of the configured term and epoch; the payload is valid during the call.
  case frame(NodeIndex, FrameHeader, UnsafeRawBufferPointer)
  /// The connection to a configured peer is gone or cannot be made; nothing more comes from it until the next
  /// `configure`, even when `reach` makes a new connection to it. One case is apart: a peer that was restarted, runs
  /// the same placement and dials this worker is `connected` again.
  case lost(NodeIndex, TransportError)
  /// The connection to a peer that `reach` asked for stands.
  case reached(NodeID)
  /// A peer that `reach` asked for has not been reached for `DataLimits.reachTimeout`, or its connection broke; comes
  /// again each time that span is over. It is tried on and on, and `reached` follows when it comes up after all.
  case unreachable(NodeID, TransportError)
}

/// Frames between workers, sent and received on the thread that computes.
///
/// Confined to one thread, except `waker`. Of two workers the one whose name is lower dials.
public protocol DataPlane: AnyObject {
  /// Begins a placement: connects to the peers, keeps connections that stay valid, drops frames of other terms and
  /// epochs from now on. A lost peer is dialled anew; what `reach` wanted is wanted no more. Must not be called from a
  /// `poll` handler.
  func configure(_ configuration: DataPlaneConfiguration)

  /// Connects to the peers of a coming placement, whether or not one is running; keeps connections that stand, and
  /// goes on trying until they do or other peers are wanted. `reached` or `unreachable` tells of each peer.
  ///
  /// Replaces what an earlier `reach` wanted. The running placement is not disturbed, but it ends when the identity
  /// is another node's or another cluster's; and a connection to a peer that has moved to another address is lost.
  /// Must not be called from a `poll` handler.
  /// - Parameters:
  ///   - peers: their indices mean nothing; an entry for this node itself is ignored.
  ///   - identity: as whom to greet them, from now on.
  func reach(_ peers: [DataPeer], as identity: DataIdentity)

  /// Sends a frame of the configured term and epoch. Never blocks: what the network does not take is queued, also
  /// while the peer is being dialled.
  /// - Parameters:
  ///   - payloadBytes: exact size, within the limit of the type.
  ///   - fill: writes the payload; called at once, at most once. The memory is not zeroed and of any alignment.
  /// - Throws: `TransportError` when there is no such peer, it is lost, or too much is queued for it.
  func send(
    _ type: FrameType, to peer: NodeIndex, flags: FrameHeader.Flags, stream: UInt64, payloadBytes: Int,
    fill: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(TransportError)

  /// Hands over everything that has arrived, and sends what is queued. Never blocks. The handler may call `send`.
  func poll(_ handler: (DataEvent) -> Void)

  /// Waits until there may be something to poll, `waker` wakes or the deadline has passed: looks a few microseconds
  /// long, then sleeps.
  func wait(until deadline: ContinuousClock.Instant?)

  /// Ends `wait` from another thread.
  var waker: any Waker { get }

  /// What was sent, in `dataBytes` and `dataFrames`.
  var counters: TrafficCounters { get }

  /// Frames that were dropped because they belong to another term or epoch.
  var staleFrames: UInt64 { get }
}

/// Bounds of the data plane.
public enum DataLimits {
  /// Bytes that may wait to be sent to one peer.
  public static let backlogBytes = 256 << 20
  /// How long a configured peer is dialled, how long a dial from a lower name is waited for, and how long one attempt
  /// to dial may take until the listener has sent its preface.
  public static let connectTimeout = Duration.seconds(3)
  /// Pause between two attempts to dial a configured peer.
  public static let redialInterval = Duration.milliseconds(50)
  /// How long a peer that `reach` asked for may not be reached until that is told, and told again.
  public static let reachTimeout = Duration.seconds(2)
  /// Pause between two attempts to dial a peer that `reach` asked for.
  public static let reachInterval = Duration.milliseconds(250)
  /// Accepted connections that have not yet said who they are, or are not yet expected.
  public static let pendingConnections = 64
  /// How long such a connection may wait, and how long its dialer waits for it once it has the preface.
  public static let pendingTimeout = Duration.seconds(10)
}
