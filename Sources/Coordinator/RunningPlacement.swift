import Cluster
import Tensors
import Transport

/// The placement in force, and what has become of it since.
struct RunningPlacement {
  let placement: Placement
  /// The connections of its nodes when it came into force: a node that comes back has another one, and nothing in memory.
  let members: [NodeID: LinkID]
  /// Nodes that are gone, but have replicas elsewhere.
  private(set) var lost: Set<NodeID> = []
  /// Steps cannot end any more.
  var isBroken = false
  /// Steps can end, but a connection is gone; a switch to the same placement makes it anew.
  var isStale = false
  /// Whether its hosts still have what they had of keys and values.
  var hasKeyValues = true

  init(placement: Placement, members: [NodeID: LinkID]) {
    self.placement = placement
    self.members = members
  }

  var epoch: PlacementEpoch { placement.epoch }
  var firstHost: NodeID? { placement.firstHost.map { placement.nodes[$0.rawValue] } }
  var lastHost: NodeID? { placement.lastHost.map { placement.nodes[$0.rawValue] } }
  var participants: [NodeID] { placement.participants.map { placement.nodes[$0.rawValue] } }

  /// The placement without the nodes that are gone.
  var effective: Placement {
    guard !lost.isEmpty else { return placement }
    let stages = placement.stages.map { stage in
      StagePlacement(
        layers: stage.layers, host: stage.host,
        experts: stage.experts.filter { !lost.contains(placement.nodes[$0.node.rawValue]) })
    }
    return Placement(epoch: placement.epoch, nodes: placement.nodes, stages: stages)
  }

  /// A node is gone: others answer in its place, or steps cannot end any more.
  mutating func lose(_ node: NodeID) {
    guard let index = placement.index(of: node), placement.participants.contains(index) else { return }
    lost.insert(node)
    let isHost = placement.stages.contains { $0.host == index }
    if isHost || !isCovered(effective) { isBroken = true }
  }

  /// Whether a host can do without its connection to another node: replicas of all its experts are on others.
  func canDo(without peer: NodeID, on host: NodeID) -> Bool {
    guard let hostIndex = placement.index(of: host), let peerIndex = placement.index(of: peer) else { return true }
    var previous: NodeIndex?
    for stage in effective.stages {
      if let previous, previous != stage.host, Set([previous, stage.host]) == Set([hostIndex, peerIndex]) {
        return false
      }
      previous = stage.host
      guard stage.host == hostIndex || stage.host == peerIndex else { continue }
      let other = stage.host == hostIndex ? peerIndex : hostIndex
      let gone = stage.experts(of: other)
      let rest = ExpertSet(ranges: stage.experts.filter { $0.node != other }.flatMap(\.experts.ranges))
      if !gone.subtracting(rest).isEmpty { return false }
    }
    return true
  }

  private func isCovered(_ candidate: Placement) -> Bool {
    zip(candidate.stages, placement.stages).allSatisfy { now, before in
      let all = ExpertSet(ranges: before.experts.flatMap(\.experts.ranges))
      return all.subtracting(ExpertSet(ranges: now.experts.flatMap(\.experts.ranges))).isEmpty
    }
  }

  /// The host of a layer, and its connection when it began to be that.
  func host(of layer: LayerIndex) -> (node: NodeID, link: LinkID?)? {
    guard let stage = placement.stage(of: layer) else { return nil }
    let node = placement.nodes[placement.stages[stage].host.rawValue]
    return (node, members[node])
  }
}
