import Synchronization
import Transport
import Wire

/// An in-process network with faults drawn from a seed, and a record of every packet.
///
/// Packets of one connection keep their order, as over TCP; those of different connections do not.
final class FaultyNetwork: Sendable {
  /// One direction of a connection.
  private struct Direction: Hashable {
    let plane: ConnectionPlane
    let source: String
    let destination: String

    init(_ packet: InProcessPacket) {
      plane = packet.plane
      source = packet.source
      destination = packet.destination
    }
  }

  private struct State {
    var random: SeededRandom
    var faults: FaultPlan
    /// Packets that wait, by direction.
    var waiting: [Direction: Int] = [:]
  }

  let network = InProcessNetwork()
  private let log: EventLog
  private let state: Mutex<State>

  init(seed: UInt64, faults: FaultPlan, log: EventLog) {
    self.log = log
    state = Mutex(State(random: SeededRandom(seed: seed), faults: faults))
    network.setIntercept { [weak self] packet in self?.fate(of: packet) ?? .deliver }
  }

  var faults: FaultPlan {
    get { state.withLock { $0.faults } }
    set { state.withLock { $0.faults = newValue } }
  }

  private func fate(of packet: InProcessPacket) -> InProcessFate {
    let record = PacketRecord(packet)
    let fate = state.withLock { state in
      let fate = Self.fate(of: record, Direction(packet), &state)
      switch fate {
      case .hold: state.waiting[Direction(packet), default: 0] += 1
      case .cut: Self.forget(packet.source, packet.destination, &state)
      case .deliver, .drop, .duplicate: break
      }
      return fate
    }
    log.append(.packet(record, fate))
    return fate
  }

  private static func fate(of record: PacketRecord, _ direction: Direction, _ state: inout State) -> InProcessFate {
    if let fate = state.faults.rule?(record) { return fate }
    if state.random.chance(state.faults.cut) { return .cut }
    if state.waiting[direction, default: 0] > 0 { return .hold }
    return state.random.chance(state.faults.hold) ? .hold : .deliver
  }

  /// Packets between two names are gone with their connections.
  private static func forget(_ first: String, _ second: String, _ state: inout State) {
    state.waiting = state.waiting.filter { Set([$0.key.source, $0.key.destination]) != Set([first, second]) }
  }

  /// Lets one waiting packet go on, the oldest of a connection that is drawn; false when none waits or goes on now.
  func releaseOne(isCertain: Bool = false) -> Bool {
    let held = network.held
    guard !held.isEmpty, !faults.isFrozen else { return false }
    var seen = Set<Direction>()
    let oldest = held.filter { seen.insert(Direction($0)).inserted }
    let chosen: InProcessPacket? = state.withLock { state in
      guard isCertain || state.random.chance(state.faults.release) else { return nil }
      let packet = oldest[state.random.next(below: oldest.count)]
      state.waiting[Direction(packet), default: 1] -= 1
      return packet
    }
    guard let chosen else { return false }
    log.append(.released(number: chosen.number))
    network.release(chosen)
    return true
  }

  /// Breaks the connections between two names; new ones can be made unless they are kept apart.
  func cut(_ first: String, _ second: String, keepApart: Bool) {
    state.withLock { Self.forget(first, second, &$0) }
    if keepApart { network.partition(first, second) } else { network.cut(first, second) }
  }

  func heal(_ first: String, _ second: String) { network.heal(first, second) }
}
