public import JobStore
public import Coordinator
import Synchronization
public import Tensors
public import Transport
public import Wire

/// One thing that happened in a simulated cluster.
public enum SimulationEvent: Sendable, Hashable {
  case packet(PacketRecord, InProcessFate)
  /// A packet that was held goes on.
  case released(number: UInt64)
  case job(JobID, JobEvent)
  case status(coordinator: String, CoordinatorStatus)
  /// Nobody had anything to do until this time, counted from the start.
  case waited(Duration)
}

/// A frame as the network saw it.
public struct PacketRecord: Sendable, Hashable {
  /// Counted from 0 in the order of sending.
  public let number: UInt64
  public let plane: ConnectionPlane
  /// Name of the sending node or coordinator.
  public let source: String
  /// Name of the receiver.
  public let destination: String
  public let type: FrameType
  public let flags: FrameHeader.Flags
  public let epoch: PlacementEpoch
  public let term: CoordinatorTerm
  public let stream: UInt64
  /// Frame header included.
  public let byteCount: Int
  /// Of the payload.
  public let checksum: UInt64

  init(_ packet: InProcessPacket) {
    number = packet.number
    plane = packet.plane
    source = packet.source
    destination = packet.destination
    type = packet.header.type
    flags = packet.header.flags
    epoch = packet.header.epoch
    term = packet.header.term
    stream = packet.header.stream
    byteCount = packet.header.frameByteCount
    checksum = packet.header.payloadChecksum
  }
}

/// Everything that happened, in order.
public final class EventLog: Sendable {
  private let state = Mutex<[SimulationEvent]>([])

  /// All of them.
  public var events: [SimulationEvent] { state.withLock { $0 } }

  /// The packets among the events, without their fates.
  public var packets: [PacketRecord] {
    events.compactMap { event in
      if case .packet(let packet, _) = event { packet } else { nil }
    }
  }

  func append(_ event: SimulationEvent) { state.withLock { $0.append(event) } }
}
