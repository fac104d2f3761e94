import Cluster
import Synchronization
import Tensors
import Transport
public import Wire

/// What a worker or coordinator sends that is not what it should send. Everything else about it is real.
public final class Tampering: Sendable {
  /// Replaces a control message; none to keep it back.
  public typealias MessageChange = @Sendable (ControlMessage) -> [ControlMessage]
  /// Changes the payload of a data frame.
  public typealias PayloadChange = @Sendable (FrameType, UnsafeMutableRawBufferPointer) -> Void

  private struct State {
    var message: MessageChange?
    var payload: PayloadChange?
  }

  private let state = Mutex(State())

  init() {}

  /// Lies on the control plane from now on; nil for the truth.
  public func setMessageChange(_ change: MessageChange?) { state.withLock { $0.message = change } }
  /// Lies on the data plane from now on; nil for the truth.
  public func setPayloadChange(_ change: PayloadChange?) { state.withLock { $0.payload = change } }

  func messages(for message: ControlMessage) -> [ControlMessage] {
    let change = state.withLock { $0.message }
    return change?(message) ?? [message]
  }

  func change(_ type: FrameType, _ payload: UnsafeMutableRawBufferPointer) {
    let change = state.withLock { $0.payload }
    change?(type, payload)
  }
}

/// A control plane whose outgoing messages are tampered with.
struct TamperedControlPlane: ControlPlane {
  let plane: InProcessControlPlane
  let tampering: Tampering

  func dial(_ address: HostPort, timeout: Duration) -> LinkID { plane.dial(address, timeout: timeout) }

  func send(_ message: ControlMessage, epoch: PlacementEpoch, term: CoordinatorTerm, on link: LinkID) {
    for message in tampering.messages(for: message) { plane.send(message, epoch: epoch, term: term, on: link) }
  }

  func close(_ link: LinkID) { plane.close(link) }
  func vitals(of link: LinkID) -> LinkVitals? { plane.vitals(of: link) }
  var counters: TrafficCounters { plane.counters }
}

/// A data plane whose outgoing frames are tampered with; their checksums are right.
final class TamperedDataPlane: DataPlane {
  let plane: InProcessDataPlane
  private let tampering: Tampering

  init(_ plane: InProcessDataPlane, _ tampering: Tampering) {
    self.plane = plane
    self.tampering = tampering
  }

  func configure(_ configuration: DataPlaneConfiguration) { plane.configure(configuration) }
  func reach(_ peers: [DataPeer], as identity: DataIdentity) { plane.reach(peers, as: identity) }

  func send(
    _ type: FrameType, to peer: NodeIndex, flags: FrameHeader.Flags, stream: UInt64, payloadBytes: Int,
    fill: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(TransportError) {
    try plane.send(type, to: peer, flags: flags, stream: stream, payloadBytes: payloadBytes) { payload in
      fill(payload)
      tampering.change(type, payload)
    }
  }

  func poll(_ handler: (DataEvent) -> Void) { plane.poll(handler) }
  func wait(until deadline: ContinuousClock.Instant?) { plane.wait(until: deadline) }
  var waker: any Waker { plane.waker }
  var counters: TrafficCounters { plane.counters }
  var staleFrames: UInt64 { plane.staleFrames }
}
