public import Tensors

/// One change from the placement that runs to another: every node that has a part in either gets ready, then all switch
/// between two steps. A value without clock or sockets.
///
///     preparing -- all prepared --> ready -- begin() --> activating -- all activated --> [moving -- all there -->] done
public struct PlacementSwitch: Sendable, Hashable {
  /// How far it is.
  public enum Phase: Sendable, Hashable {
    /// Nodes get their weights and reach their peers; what runs goes on.
    case preparing
    /// All are ready; it waits for the steps under way.
    case ready
    /// No step runs; the nodes switch.
    case activating
    /// Keys and values go from old hosts to new ones.
    case moving
    case done
  }

  /// What is switched to.
  public let placement: Placement
  /// Nodes that have a part in it, or in what ran before.
  public let involved: Set<NodeID>
  /// How far it is.
  public private(set) var phase = Phase.preparing
  /// Nodes that have not got as far.
  public private(set) var awaited: Set<NodeID>
  /// Whether every node that has switched has the keys and values that were to move to it.
  public private(set) var hasKeyValues = true
  private var targets: Set<NodeID> = []
  /// Targets whose keys and values are known to be lost before all have switched; nothing more is to come from them.
  private var bereft: Set<NodeID> = []

  /// Begins to prepare.
  public init(to placement: Placement, involved: Set<NodeID>) {
    self.placement = placement
    self.involved = involved
    awaited = involved
  }

  /// Of the placement that is switched to.
  public var epoch: PlacementEpoch { placement.epoch }

  /// Whether some nodes may have switched and others not.
  public var isSwitching: Bool { phase == .activating || phase == .moving }

  /// A node is ready. Whether all are, with this one.
  public mutating func prepared(_ node: NodeID) -> Bool {
    guard phase == .preparing, awaited.remove(node) != nil, awaited.isEmpty else { return false }
    phase = .ready
    return true
  }

  /// The steps have ended, the nodes are told to switch.
  /// - Parameter targets: the nodes that keys and values move to afterwards.
  public mutating func begin(movingTo targets: Set<NodeID> = []) {
    precondition(phase == .ready, "a switch begins when everyone is ready")
    phase = .activating
    awaited = involved
    self.targets = targets
  }

  /// A node has switched, or has all that was to move to it. Whether that was the last one of its phase.
  public mutating func activated(_ node: NodeID, hasKeyValues: Bool) -> Bool {
    guard phase == .activating || phase == .moving else { return false }
    guard awaited.remove(node) != nil else {
      if phase == .activating, targets.contains(node), !hasKeyValues {
        self.hasKeyValues = false
        bereft.insert(node)
      }
      return false
    }
    if !hasKeyValues { self.hasKeyValues = false }
    guard awaited.isEmpty else { return false }
    let coming = targets.subtracting(bereft)
    if phase == .activating, !coming.isEmpty {
      phase = .moving
      awaited = coming
    } else {
      phase = .done
    }
    return true
  }
}
