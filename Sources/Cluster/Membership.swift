public import Tensors

/// Which nodes of a placement are there, and what that means for its epoch.
///
/// A pure state machine: events in, directives out. It has one epoch to bring up and to watch; a change of placement
/// takes a new one. Nodes that hold nothing are spares: they are dialled, never waited for, and their loss ends nothing.
/// In a running epoch every participant may be chosen for any expert it holds, so the loss of any of them ends it.
public struct Membership: Sendable, Hashable {
  /// What is known of one node.
  public enum State: Sendable, Hashable {
    /// Nothing has been tried yet.
    case unknown
    /// It is being connected to.
    case connecting
    /// It has all that its part in the epoch takes.
    case ready
    /// It could not be reached, refused, failed or went away; the reason is a sentence.
    case lost(reason: String)
  }

  /// How far the epoch has come.
  public enum Phase: Sendable, Hashable {
    /// Not all participants are ready.
    case gathering
    /// All participants were ready; steps may run.
    case running
    /// A participant was lost while the epoch ran.
    case ended(node: NodeIndex, reason: String)
  }

  /// What happened to a node.
  public enum Event: Sendable, Hashable {
    /// The node is being connected to, for the first time or again.
    case connecting(NodeIndex)
    /// It has all that its part in the epoch takes.
    case ready(NodeIndex)
    /// It could not be reached, refused, failed or went away.
    case lost(NodeIndex, reason: String)
  }

  /// What to do about an event.
  public enum Directive: Sendable, Hashable {
    /// Connect to the node, and tell of it by an event; again after a loss before the epoch runs.
    case connect(NodeIndex)
    /// Every participant is ready: steps of this epoch may start.
    case run(PlacementEpoch)
    /// A participant is gone: steps of this epoch can no longer end.
    case end(PlacementEpoch, node: NodeIndex, reason: String)
    /// A spare is gone: worth a line in the log.
    case spareLost(NodeIndex, reason: String)
  }

  /// The epoch that is brought up and watched.
  public let epoch: PlacementEpoch
  /// How far that has come.
  public private(set) var phase = Phase.gathering
  /// In the order of `Placement.nodes`.
  public private(set) var states: [State]
  private let needed: Set<NodeIndex>

  /// Nothing is known of any node yet.
  public init(_ placement: Placement) {
    epoch = placement.epoch
    states = Array(repeating: .unknown, count: placement.nodes.count)
    needed = Set(placement.participants)
  }

  /// What to do first: connect to every node that nothing is known of.
  public func begin() -> [Directive] {
    states.indices.filter { states[$0] == .unknown }.map { .connect(NodeIndex($0)) }
  }

  /// Participants that are not ready, ascending.
  public var awaited: [NodeIndex] { needed.filter { states[$0.rawValue] != .ready }.sorted() }

  /// Takes note of an event.
  ///
  /// Events that say nothing new (ready twice, lost twice, a node that does not exist, anything about a participant
  /// after the end) give no directives.
  public mutating func handle(_ event: Event) -> [Directive] {
    switch event {
    case .connecting(let node):
      guard isKnown(node), states[node.rawValue] != .ready else { return [] }
      states[node.rawValue] = .connecting
      return []
    case .ready(let node):
      guard isKnown(node), states[node.rawValue] != .ready else { return [] }
      states[node.rawValue] = .ready
      guard phase == .gathering, awaited.isEmpty else { return [] }
      phase = .running
      return [.run(epoch)]
    case .lost(let node, let reason): return lost(node, reason)
    }
  }

  private mutating func lost(_ node: NodeIndex, _ reason: String) -> [Directive] {
    guard isKnown(node) else { return [] }
    if case .lost = states[node.rawValue] { return [] }
    states[node.rawValue] = .lost(reason: reason)
    guard needed.contains(node) else { return [.spareLost(node, reason: reason)] }
    switch phase {
    case .gathering: return [.connect(node)]
    case .running:
      phase = .ended(node: node, reason: reason)
      return [.end(epoch, node: node, reason: reason)]
    case .ended: return []
    }
  }

  private func isKnown(_ node: NodeIndex) -> Bool { states.indices.contains(node.rawValue) }
}
