import Cluster
import Tensors
import Testing
import Transport
import Wire

/// One worker's data plane with a record of what it was told; used on one thread.
final class DataNode {
  enum Event: Equatable {
    case connected(NodeIndex)
    case frame(NodeIndex, FrameType, stream: UInt64, payload: [UInt8])
    case lost(NodeIndex, TransportError.Code)
    case reached(NodeID)
    case unreachable(NodeID, TransportError.Code)
  }

  let id: NodeID
  let plane: any DataPlane
  private(set) var events: [Event] = []
  private(set) var lastLoss: TransportError?

  init(_ id: NodeID, _ plane: any DataPlane) {
    self.id = id
    self.plane = plane
  }

  static let cluster = ClusterID(high: 1, low: 2)

  func configure(
    _ peers: [DataPeer], epoch: UInt32 = 1, term: UInt32 = 1, cluster: ClusterID = DataNode.cluster
  ) {
    plane.configure(
      DataPlaneConfiguration(
        node: id, cluster: cluster, term: CoordinatorTerm(rawValue: term), epoch: PlacementEpoch(rawValue: epoch),
        peers: peers))
  }

  func reach(_ peers: [DataPeer], term: UInt32 = 1, cluster: ClusterID = DataNode.cluster) {
    plane.reach(peers, as: DataIdentity(node: id, cluster: cluster, term: CoordinatorTerm(rawValue: term)))
  }

  func send(
    _ payload: [UInt8], to peer: NodeIndex, type: FrameType = .combine, stream: UInt64 = 1
  ) throws(TransportError) {
    try plane.send(type, to: peer, flags: [], stream: stream, payloadBytes: payload.count) {
      $0.copyBytes(from: payload)
    }
  }

  func poll() {
    plane.poll { event in
      switch event {
      case .connected(let index): events.append(.connected(index))
      case .frame(let index, let header, let payload):
        events.append(.frame(index, header.type, stream: header.stream, payload: Array(payload)))
      case .lost(let index, let error):
        lastLoss = error
        events.append(.lost(index, error.code))
      case .reached(let peer): events.append(.reached(peer))
      case .unreachable(let peer, let error):
        lastLoss = error
        events.append(.unreachable(peer, error.code))
      }
    }
  }

  func take() -> [Event] {
    defer { events = [] }
    return events
  }

  /// Polls these nodes in turn until the condition holds; fails the test after a while.
  static func run(
    _ nodes: [DataNode], until condition: () -> Bool, _ location: SourceLocation = #_sourceLocation
  ) throws {
    let limit = ContinuousClock.now + .seconds(30)
    while true {
      for node in nodes { node.poll() }
      if condition() { return }
      guard ContinuousClock.now < limit else {
        Issue.record("it did not happen in time: \(nodes.map(\.events))", sourceLocation: location)
        throw Unexpected(event: "timeout")
      }
      if nodes.count == 1 { nodes[0].plane.wait(until: ContinuousClock.now + .milliseconds(20)) }
    }
  }
}
