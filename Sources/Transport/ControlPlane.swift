public import Tensors
public import Wire

/// One control connection of this process; never used again after it is closed.
public struct LinkID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  public var description: String { "link \(rawValue)" }
}

/// What happens on control connections.
public enum ControlEvent: Sendable {
  /// A connection is up, dialled or accepted; `remote` is the peer's address, for people.
  case opened(LinkID, remote: String)
  case received(LinkID, FrameHeader, ControlMessage)
  /// The last event of a link; comes exactly once, also when a dial fails. No error when this side asked for
  /// it; an error `closed` when the peer did, or is gone.
  case closed(LinkID, TransportError?)
}

/// Messages between coordinator and workers, or client and coordinator.
///
/// Events go to the sink the plane was made with, one at a time for a link, on a thread of the plane's choice; the
/// sink must not block. Messages of one link arrive in the order in which they were sent.
public protocol ControlPlane: Sendable {
  /// Begins to connect; `opened` or `closed` follows.
  func dial(_ address: HostPort, timeout: Duration) -> LinkID
  /// Sends, or queues while the link is being dialled. Nothing happens when the link is closed; a link whose peer
  /// reads too slowly is closed.
  func send(_ message: ControlMessage, epoch: PlacementEpoch, term: CoordinatorTerm, on link: LinkID)
  /// Closes after what was sent has left; `closed` follows.
  func close(_ link: LinkID)
  /// What the link has carried; nil when it is closed. What the system says of sent bytes is looked at every
  /// `ControlLimits.sampleInterval`, from the first call on.
  func vitals(of link: LinkID) -> LinkVitals?
  /// What was sent, in `controlBytes` and `controlFrames`.
  var counters: TrafficCounters { get }
}

/// Receives the events of a control plane.
public typealias ControlSink = @Sendable (ControlEvent) -> Void

/// Bounds of the control plane.
public enum ControlLimits {
  /// A link on which more bytes than this wait to be sent when a message is added is closed.
  public static let backlogBytes = 64 << 20
  /// How often the system is asked what it has sent.
  public static let sampleInterval = Duration.milliseconds(100)
}
