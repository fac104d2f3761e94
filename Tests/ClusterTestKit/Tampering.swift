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
    var isLost: FrameRule?
    var again = 0
    /// When rows of exchanges were sent first, the newest exchanges.
    var exchanges: [Exchange: ContinuousClock.Instant] = [:]
  }

  /// One exchange of a pass with other nodes.
  private struct Exchange: Hashable {
    let step: UInt64
    let layerAndPass: UInt32
  }

  /// Whether a data frame is kept back.
  public typealias FrameRule = @Sendable (FrameType) -> Bool

  private let state = Mutex(State())

  init() {}

  /// Lies on the control plane from now on; nil for the truth.
  public func setMessageChange(_ change: MessageChange?) { state.withLock { $0.message = change } }
  /// Lies on the data plane from now on; nil for the truth.
  public func setPayloadChange(_ change: PayloadChange?) { state.withLock { $0.payload = change } }

  /// Keeps back data frames from now on; nil for none.
  public func setLost(_ rule: FrameRule?) { state.withLock { $0.isLost = rule } }

  /// Parts of exchanges that were sent again, some time after the first ones.
  public var resends: Int { state.withLock { $0.again } }

  func isLost(_ type: FrameType) -> Bool {
    let rule = state.withLock { $0.isLost }
    return rule?(type) ?? false
  }

  /// Counts rows that go out some time after the first ones of their exchange: such as are sent again.
  func count(_ step: UInt64, _ payload: UnsafeMutableRawBufferPointer, at now: ContinuousClock.Instant) {
    guard payload.count >= 8 else { return }
    let exchange = Exchange(step: step, layerAndPass: payload.loadUnaligned(as: UInt32.self))
    state.withLock { state in
      if state.exchanges.count > 512 { state.exchanges = [:] }
      guard let first = state.exchanges[exchange] else { return state.exchanges[exchange] = now }
      if now > first { state.again += 1 }
    }
  }

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
  private let clock: SimulatedClock

  init(_ plane: InProcessDataPlane, _ tampering: Tampering, _ clock: SimulatedClock) {
    self.plane = plane
    self.tampering = tampering
    self.clock = clock
  }

  func configure(_ configuration: DataPlaneConfiguration) { plane.configure(configuration) }
  func reach(_ peers: [DataPeer], as identity: DataIdentity) { plane.reach(peers, as: identity) }

  func send(
    _ type: FrameType, to peer: NodeIndex, flags: FrameHeader.Flags, stream: UInt64, payloadBytes: Int,
    fill: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(TransportError) {
    guard !tampering.isLost(type) else { return }
    try plane.send(type, to: peer, flags: flags, stream: stream, payloadBytes: payloadBytes) { payload in
      fill(payload)
      if type == .dispatch { tampering.count(stream, payload, at: clock.now) }
      tampering.change(type, payload)
    }
  }

  func poll(_ handler: (DataEvent) -> Void) { plane.poll(handler) }
  func wait(until deadline: ContinuousClock.Instant?) { plane.wait(until: deadline) }
  var waker: any Waker { plane.waker }
  var counters: TrafficCounters { plane.counters }
  var staleFrames: UInt64 { plane.staleFrames }
}
