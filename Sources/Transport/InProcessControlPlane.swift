public import Tensors
public import Wire
import Synchronization

/// Control connections inside one process. Messages are encoded and decoded as on the wire.
public final class InProcessControlPlane: ControlPlane {
  private let network: InProcessNetwork
  private let name: String

  /// - Parameters:
  ///   - name: what `InProcessNetwork.cut` and packets call this plane.
  ///   - address: where others can dial it; nil when nobody needs to.
  ///   - pulse: answers pings at once and without the sink; without it they are given to the sink.
  ///   - sink: called on the thread of whoever caused the event.
  public init(
    network: InProcessNetwork, name: String, address: HostPort? = nil, pulse: Pulse? = nil, sink: @escaping ControlSink
  ) {
    self.network = network
    self.name = name
    let endpoint = InProcessControlState.Endpoint(address: address, pulse: pulse, sink: sink)
    let isNew = network.state.withLock { $0.control.register(name, endpoint) }
    precondition(isNew, "two in-process control planes named \(name)")
  }

  deinit { stop() }

  public func dial(_ address: HostPort, timeout: Duration) -> LinkID {
    network.change { $0.dialControl(from: name, to: address) }
  }

  public func send(_ message: ControlMessage, epoch: PlacementEpoch, term: CoordinatorTerm, on link: LinkID) {
    network.change { $0.sendControl(message, epoch, term, on: link, from: name) }
  }

  public func close(_ link: LinkID) {
    network.change { $0.closeControl(link, from: name, nil) }
  }

  /// Bytes are acknowledged when they are delivered; what the network holds back is pending, what it drops is not.
  public func vitals(of link: LinkID) -> LinkVitals? {
    network.state.withLock { state in
      guard let side = state.control.sides[link], side.owner == name else { return nil }
      let pending = state.held.reduce(0) { sum, packet in
        if case .control(side.otherLink) = packet.route { sum + packet.bytes.count } else { sum }
      }
      return LinkVitals(
        bytesReceived: side.bytesReceived, bytesAcknowledged: state.control.sides[side.otherLink]?.bytesReceived ?? 0,
        bytesPending: UInt64(pending))
    }
  }

  /// Closes all links, as when the process dies; the name and the address are free again.
  public func stop() {
    network.change { state in
      let error = TransportError(.closed, "\(name) has gone")
      for link in state.control.links(of: name) { state.closeControl(link, from: name, error) }
      state.control.endpoints[name] = nil
    }
  }

  public var counters: TrafficCounters {
    network.state.withLock { $0.control.endpoints[name]?.counters ?? TrafficCounters() }
  }
}

/// Control planes and links of an in-process network.
struct InProcessControlState {
  struct Endpoint {
    let address: HostPort?
    let pulse: Pulse?
    let sink: ControlSink
    var counters = TrafficCounters()
  }

  /// One side of a link.
  struct Side {
    let owner: String
    let other: String
    let otherLink: LinkID
    var bytesReceived: UInt64 = 0
  }

  var endpoints: [String: Endpoint] = [:]
  var sides: [LinkID: Side] = [:]
  private var nextLink: UInt64 = 1

  mutating func register(_ name: String, _ endpoint: Endpoint) -> Bool {
    guard endpoints[name] == nil else { return false }
    endpoints[name] = endpoint
    return true
  }

  mutating func newLink() -> LinkID {
    defer { nextLink += 1 }
    return LinkID(rawValue: nextLink)
  }

  func links(of name: String) -> [LinkID] { sides.filter { $0.value.owner == name }.keys.sorted() }
}

extension InProcessNetwork.State {
  fileprivate mutating func dialControl(from source: String, to address: HostPort) -> LinkID {
    let link = control.newLink()
    guard let target = control.endpoints.first(where: { $0.value.address == address })?.key,
      !partitions.contains([source, target])
    else {
      emit(.closed(link, TransportError(.unreachable, "nobody listens at \(address)")), to: source)
      return link
    }
    let otherLink = control.newLink()
    control.sides[link] = .init(owner: source, other: target, otherLink: otherLink)
    control.sides[otherLink] = .init(owner: target, other: source, otherLink: link)
    emit(.opened(otherLink, remote: source), to: target)
    emit(.opened(link, remote: target), to: source)
    return link
  }

  fileprivate mutating func sendControl(
    _ message: ControlMessage, _ epoch: PlacementEpoch, _ term: CoordinatorTerm, on link: LinkID, from name: String
  ) {
    guard let side = control.sides[link], side.owner == name else { return }
    do throws(WireError) {
      let bytes = try message.frame(epoch: epoch, term: term)
      let header = try bytes.reading { (bytes) throws(WireError) in try FrameHeader(bytes) }
      control.endpoints[name]?.counters.controlBytes += UInt64(bytes.count)
      control.endpoints[name]?.counters.controlFrames += 1
      transmit(bytes, header, plane: .control, from: name, to: side.other, .control(side.otherLink))
    } catch {
      closeControl(link, from: name, TransportError(error, from: "message to \(side.other)"))
    }
  }

  mutating func deliverControl(_ packet: InProcessPacket, on link: LinkID) {
    guard let side = control.sides[link] else { return }
    control.sides[link]?.bytesReceived += UInt64(packet.bytes.count)
    do throws(WireError) {
      let message = try packet.bytes.reading { (bytes) throws(WireError) in
        let payload = UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...])
        try packet.header.check(payload: payload)
        return try ControlMessage(type: packet.header.type, payload: payload)
      }
      if case .ping(let ping) = message, let pulse = control.endpoints[side.owner]?.pulse {
        sendControl(pulse.answer(ping), packet.header.epoch, packet.header.term, on: link, from: side.owner)
      } else {
        emit(.received(link, packet.header, message), to: side.owner)
      }
    } catch {
      closeControl(link, from: side.owner, TransportError(error, from: side.other))
    }
  }

  /// Closes both sides of a link; each gets its one `closed`.
  fileprivate mutating func closeControl(_ link: LinkID, from name: String, _ error: TransportError?) {
    guard let side = control.sides[link], side.owner == name else { return }
    control.sides[link] = nil
    control.sides[side.otherLink] = nil
    emit(.closed(link, error), to: name)
    let notice = error ?? TransportError(.closed, "\(name) closed the connection")
    emit(.closed(side.otherLink, notice), to: side.other)
  }

  mutating func cutControl(_ first: String, _ second: String, _ error: TransportError) {
    for link in control.sides.keys.sorted() {
      guard let side = control.sides[link], Set([side.owner, side.other]) == Set([first, second]) else { continue }
      closeControl(link, from: side.owner, error)
    }
  }

  private mutating func emit(_ event: ControlEvent, to name: String) {
    guard let sink = control.endpoints[name]?.sink else { return }
    deliveries.append((sink, event))
  }
}
