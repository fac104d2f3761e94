import Tensors
import Testing

@testable import Cluster

@Suite struct MembershipTests {
  /// Node 0 hosts, nodes 1 and 2 hold the same experts, node 3 is a spare.
  private let epoch = PlacementEpoch(rawValue: 4)
  private var placement: Placement {
    Placement(
      epoch: epoch, nodes: ["a", "b", "c", "d"],
      stages: [
        StagePlacement(
          layers: 0..<2, host: 0,
          experts: [1, 2].map { ExpertHolding(node: $0, experts: ExpertSet(all: 4)) })
      ])
  }

  @Test("every node is connected to; the epoch runs when those that take part are ready")
  func gathering() {
    var membership = Membership(placement)
    #expect(membership.begin() == [.connect(0), .connect(1), .connect(2), .connect(3)])
    #expect(membership.handle(.connecting(0)).isEmpty && membership.states[0] == .connecting)
    #expect(membership.handle(.ready(2)).isEmpty && membership.handle(.ready(0)).isEmpty)
    #expect(membership.awaited == [1] && membership.phase == .gathering)
    #expect(membership.handle(.ready(1)) == [.run(epoch)])
    #expect(membership.phase == .running && membership.awaited.isEmpty && membership.states[3] == .unknown)
    #expect(membership.handle(.ready(1)).isEmpty && membership.handle(.ready(3)).isEmpty)
    #expect(membership.begin().isEmpty)
  }

  @Test("before the epoch runs, a participant that is lost is connected to again")
  func retry() {
    var membership = Membership(placement)
    for node: NodeIndex in [0, 2] { _ = membership.handle(.ready(node)) }
    #expect(membership.handle(.lost(1, reason: "refused")) == [.connect(1)])
    #expect(membership.states[1] == .lost(reason: "refused"))
    #expect(membership.handle(.lost(1, reason: "again")).isEmpty)
    #expect(membership.handle(.lost(2, reason: "gone")) == [.connect(2)])
    _ = membership.handle(.connecting(1))
    #expect(membership.handle(.ready(1)).isEmpty && membership.awaited == [2])
    #expect(membership.handle(.ready(2)) == [.run(epoch)])
  }

  @Test("in a running epoch the loss of a participant ends it once, that of a spare does not")
  func loss() {
    var membership = Membership(placement)
    for node: NodeIndex in [0, 1, 2, 3] { _ = membership.handle(.ready(node)) }
    #expect(membership.handle(.lost(3, reason: "power")) == [.spareLost(3, reason: "power")])
    #expect(membership.phase == .running)
    #expect(membership.handle(.lost(2, reason: "reset")) == [.end(epoch, node: 2, reason: "reset")])
    #expect(membership.phase == .ended(node: 2, reason: "reset"))
    #expect(membership.handle(.lost(0, reason: "later")).isEmpty)
    #expect(membership.handle(.ready(2)).isEmpty && membership.phase == .ended(node: 2, reason: "reset"))
  }

  @Test("nodes that do not exist change nothing")
  func unknownNodes() {
    var membership = Membership(placement)
    let before = membership
    for node: NodeIndex in [-1, 4] {
      #expect(membership.handle(.ready(node)).isEmpty && membership.handle(.connecting(node)).isEmpty)
      #expect(membership.handle(.lost(node, reason: "")).isEmpty)
    }
    #expect(membership == before)
  }
}
