public import Tensors
public import Wire
import Synchronization

/// A frame on its way through an in-process network.
public struct InProcessPacket: Sendable {
  public let plane: ConnectionPlane
  /// Name of the sender: a control plane's name, or a node.
  public let source: String
  public let destination: String
  public let header: FrameHeader
  /// Number of the packet, counted from 0 in the order of sending.
  public let number: UInt64
  let bytes: [UInt8]
  let route: InProcessRoute

  /// The same as if it had been sent under another placement.
  fileprivate func under(_ epoch: PlacementEpoch) -> InProcessPacket {
    let forged = bytes.withUnsafeBytes { bytes in
      FrameHeader(
        type: header.type, flags: header.flags, epoch: epoch, term: header.term, stream: header.stream,
        payload: UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...]))
    }
    return InProcessPacket(
      plane: plane, source: source, destination: destination, header: forged, number: number, bytes: bytes,
      route: route)
  }
}

/// Where a packet goes.
enum InProcessRoute: Sendable {
  case control(LinkID)
  case data(from: NodeID, to: NodeID)
}

/// What becomes of a packet.
public enum InProcessFate: Sendable, Hashable {
  case deliver
  case drop
  /// Delivered twice.
  case duplicate
  /// Kept until `InProcessNetwork.release`; others may overtake it.
  case hold
  /// Lost together with its connection.
  case cut
}

/// Joins the in-process planes of several nodes: the same frames and events as over TCP, but in memory, in the order
/// of sending and without time, so that one thread can run a whole cluster and a run can be repeated.
///
/// `intercept` and the functions below it are there for tests that want a bad network.
public final class InProcessNetwork: Sendable {
  struct State {
    var control = InProcessControlState()
    var data = InProcessDataState()
    var held: [InProcessPacket] = []
    var packets: UInt64 = 0
    var intercept: (@Sendable (InProcessPacket) -> InProcessFate)?
    /// Pairs of names that cannot reach each other.
    var partitions: Set<Set<String>> = []
    /// Events not yet handed to their sinks, and whether somebody is at it.
    var deliveries: [(sink: ControlSink, event: ControlEvent)] = []
    var isDelivering = false
  }

  let state = Mutex(State())

  public init() {}

  /// Asked for the fate of every packet; nil delivers all. Called with the network locked: it may not use the network.
  public func setIntercept(_ intercept: (@Sendable (InProcessPacket) -> InProcessFate)?) {
    state.withLock { $0.intercept = intercept }
  }

  /// Packets that are held back, oldest first.
  public var held: [InProcessPacket] { state.withLock { $0.held } }

  /// Delivers a packet that was held back; nothing happens when it is not among them, or its connection is gone.
  /// - Parameters:
  ///   - epoch: the placement that its header is to name instead of its own; nil leaves it as it is.
  ///   - isTwice: whether it is delivered twice.
  public func release(_ packet: InProcessPacket, epoch: PlacementEpoch? = nil, isTwice: Bool = false) {
    change { state in
      guard let index = state.held.firstIndex(where: { $0.number == packet.number }) else { return }
      var packet = state.held.remove(at: index)
      if let epoch { packet = packet.under(epoch) }
      state.deliver(packet)
      if isTwice { state.deliver(packet) }
    }
  }

  /// Breaks the connections between two names, control and data; new ones can be made.
  public func cut(_ first: String, _ second: String) {
    change { $0.cut(first, second) }
  }

  /// Breaks the connections between two names, and lets no new ones be made until `heal`.
  public func partition(_ first: String, _ second: String) {
    change { state in
      state.partitions.insert([first, second])
      state.cut(first, second)
    }
  }

  /// Lets connections be made again; data connections that `reach` asked for are made at once.
  public func heal(_ first: String, _ second: String) {
    change { state in
      _ = state.partitions.remove([first, second])
      state.connectData([NodeID(first), NodeID(second)])
    }
  }

  /// Changes the state, then hands over the events that came of it, in order and without the lock.
  func change<Result: Sendable>(_ body: (inout sending State) -> Result) -> Result {
    let result = state.withLock { body(&$0) }
    deliverEvents()
    return result
  }

  /// Events that a sink causes are handed over by the call that is already at it, after the events before them.
  private func deliverEvents() {
    guard state.withLock({ $0.beginDelivering() }) else { return }
    while let next = state.withLock({ $0.nextDelivery() }) { next.sink(next.event) }
  }
}

extension InProcessNetwork.State {
  fileprivate mutating func beginDelivering() -> Bool {
    guard !isDelivering, !deliveries.isEmpty else { return false }
    isDelivering = true
    return true
  }

  fileprivate mutating func nextDelivery() -> (sink: ControlSink, event: ControlEvent)? {
    guard !deliveries.isEmpty else {
      isDelivering = false
      return nil
    }
    return deliveries.removeFirst()
  }

  /// Sends a frame through the interception.
  mutating func transmit(
    _ bytes: [UInt8], _ header: FrameHeader, plane: ConnectionPlane, from source: String, to destination: String,
    _ route: InProcessRoute
  ) {
    let packet = InProcessPacket(
      plane: plane, source: source, destination: destination, header: header, number: packets, bytes: bytes,
      route: route)
    packets += 1
    switch intercept?(packet) ?? .deliver {
    case .deliver:
      deliver(packet)
    case .drop:
      break
    case .duplicate:
      deliver(packet)
      deliver(packet)
    case .hold:
      held.append(packet)
    case .cut:
      cut(source, destination)
    }
  }

  mutating func deliver(_ packet: InProcessPacket) {
    switch packet.route {
    case .control(let link): deliverControl(packet, on: link)
    case .data(let source, let destination): deliverData(packet, from: source, to: destination)
    }
  }

  mutating func cut(_ first: String, _ second: String) {
    let error = TransportError(.closed, "the connection between \(first) and \(second) was cut")
    cutControl(first, second, error)
    cutData(NodeID(first), NodeID(second), error)
    held.removeAll { Set([$0.source, $0.destination]) == Set([first, second]) }
  }
}
