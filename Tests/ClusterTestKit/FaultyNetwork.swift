import Synchronization
import Tensors
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

    func joins(_ first: String, _ second: String) -> Bool {
      (source == first && destination == second) || (source == second && destination == first)
    }
  }

  /// A packet on its way.
  private struct Travel {
    let direction: Direction
    /// When it arrives; nil when chance decides.
    var due: Duration?
  }

  private struct State {
    var random: SeededRandom
    var faults: FaultPlan
    /// Packets that wait, by direction.
    var waiting: [Direction: Int] = [:]
    /// By their numbers.
    var travels: [UInt64: Travel] = [:]
    /// Nothing of a direction arrives before this.
    var free: [Direction: Duration] = [:]
    /// Pairs of names between which nothing arrives for a while.
    var stalls: [Set<String>: Duration] = [:]
    var now = Duration.zero
  }

  let network = InProcessNetwork()
  private let log: EventLog
  private let state: Mutex<State>

  /// Name of clients of coordinators, to whom nothing bad happens but lost connections.
  static let clientPrefix = "client"

  init(seed: UInt64, faults: FaultPlan, log: EventLog) {
    self.log = log
    state = Mutex(State(random: SeededRandom(seed: seed), faults: faults))
    network.setIntercept { [weak self] packet in self?.fate(of: packet) ?? .deliver }
  }

  var faults: FaultPlan {
    get { state.withLock { $0.faults } }
    set { state.withLock { $0.faults = newValue } }
  }

  func setNow(_ now: Duration) { state.withLock { $0.now = now } }

  private func fate(of packet: InProcessPacket) -> InProcessFate {
    let record = PacketRecord(packet)
    let fate = state.withLock { state in
      let direction = Direction(packet)
      let fate = Self.fate(of: record, direction, &state)
      switch fate {
      case .hold:
        state.waiting[direction, default: 0] += 1
        state.travels[packet.number] = Travel(direction: direction, due: Self.due(direction, &state))
      case .cut: Self.forget(packet.source, packet.destination, &state)
      case .deliver, .drop, .duplicate: break
      }
      return fate
    }
    log.append(.packet(record, fate))
    return fate
  }

  private static func fate(of record: PacketRecord, _ direction: Direction, _ state: inout State) -> InProcessFate {
    let faults = state.faults
    if let fate = faults.rule?(record) { return fate }
    if state.random.chance(faults.cut) { return .cut }
    let isClient = record.source.hasPrefix(clientPrefix) || record.destination.hasPrefix(clientPrefix)
    if !isClient, state.random.chance(faults.drop) { return .drop }
    if state.waiting[direction, default: 0] > 0 || faults.latency != nil { return .hold }
    if record.plane == .data, state.random.chance(faults.duplicate) { return .duplicate }
    return state.random.chance(faults.hold) ? .hold : .deliver
  }

  /// When a packet that is sent now arrives.
  private static func due(_ direction: Direction, _ state: inout State) -> Duration? {
    guard let latency = state.faults.latency else { return nil }
    let nanoseconds = Int((latency.upperBound - latency.lowerBound) / .nanoseconds(1))
    var travel = latency.lowerBound + .nanoseconds(state.random.next(below: nanoseconds + 1))
    if state.random.chance(state.faults.spike) { travel *= 20 }
    var due = max(state.now + travel, state.free[direction] ?? .zero)
    if let stall = state.stalls[[direction.source, direction.destination]] { due = max(due, stall) }
    state.free[direction] = due
    return due
  }

  /// Packets between two names are gone with their connections.
  private static func forget(_ first: String, _ second: String, _ state: inout State) {
    state.waiting = state.waiting.filter { !$0.key.joins(first, second) }
    state.travels = state.travels.filter { !$0.value.direction.joins(first, second) }
    state.free = state.free.filter { !$0.key.joins(first, second) }
  }

  /// Lets one waiting packet go on, the oldest of a connection that is drawn; false when none waits or goes on now.
  /// - Parameter forge: the epoch that the packet's header is to name instead of its own, for tests of the tests.
  func releaseOne(isCertain: Bool = false, forge: ((PacketRecord) -> PlacementEpoch?)? = nil) -> Bool {
    let held = network.held
    guard !held.isEmpty, !faults.isFrozen else { return false }
    let chosen = state.withLock { state -> (InProcessPacket, isTwice: Bool)? in
      guard isCertain || state.faults.latency != nil || state.random.chance(state.faults.release) else { return nil }
      var seen = Set<Direction>()
      let oldest = held.filter { packet in
        guard seen.insert(Direction(packet)).inserted else { return false }
        return (state.travels[packet.number]?.due).map { $0 <= state.now } ?? true
      }
      guard !oldest.isEmpty else { return nil }
      let packet = oldest[state.random.next(below: oldest.count)]
      state.waiting[Direction(packet), default: 1] -= 1
      state.travels[packet.number] = nil
      let isTwice = packet.plane == .data && state.random.chance(state.faults.duplicate)
      return (packet, isTwice)
    }
    guard let (packet, isTwice) = chosen else { return false }
    log.append(.released(number: packet.number))
    network.release(packet, epoch: forge?(PacketRecord(packet)), isTwice: isTwice)
    return true
  }

  /// When the next packet arrives; nil when none is on its way.
  var nextArrival: Duration? { state.withLock { $0.travels.values.lazy.compactMap(\.due).min() } }

  /// Lets nothing arrive between two names for a while; nothing is lost.
  func stall(_ first: String, _ second: String, until end: Duration) {
    state.withLock { state in
      state.stalls[[first, second]] = end
      for (number, travel) in state.travels where travel.direction.joins(first, second) {
        guard let due = travel.due else { continue }
        let later = max(due, end)
        state.travels[number]?.due = later
        state.free[travel.direction] = max(state.free[travel.direction] ?? .zero, later)
      }
    }
  }

  /// Ends all stalls.
  func endStalls() {
    state.withLock { state in
      state.stalls = [:]
      state.free = [:]
      for number in state.travels.keys { state.travels[number]?.due = state.now }
    }
  }

  /// Breaks the connections between two names; new ones can be made unless they are kept apart.
  func cut(_ first: String, _ second: String, keepApart: Bool) {
    state.withLock { Self.forget(first, second, &$0) }
    if keepApart { network.partition(first, second) } else { network.cut(first, second) }
  }

  func heal(_ first: String, _ second: String) { network.heal(first, second) }
}
