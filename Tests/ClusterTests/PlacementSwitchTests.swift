import Cluster
import Tensors
import Testing

/// A change that can be told something within an expectation.
@dynamicMemberLookup
private final class Change {
  private var change: PlacementSwitch

  init(_ change: PlacementSwitch) { self.change = change }

  subscript<Value>(dynamicMember path: KeyPath<PlacementSwitch, Value>) -> Value { change[keyPath: path] }
  func prepared(_ node: NodeID) -> Bool { change.prepared(node) }
  func begin(movingTo targets: Set<NodeID> = []) { change.begin(movingTo: targets) }
  func activated(_ node: NodeID, hasKeyValues: Bool) -> Bool { change.activated(node, hasKeyValues: hasKeyValues) }
}

@Suite struct PlacementSwitchTests {
  private let nodes: Set<NodeID> = ["reef", "cove", "sound"]

  private func change() -> Change {
    Change(
      PlacementSwitch(to: Placement(epoch: PlacementEpoch(rawValue: 4), nodes: [], stages: []), involved: nodes))
  }

  private func ready() -> Change {
    let change = self.change()
    for node in nodes { _ = change.prepared(node) }
    return change
  }

  @Test("it is ready when everyone is, whatever the order, and however often one says so")
  func preparing() {
    for last in nodes {
      let change = self.change()
      for node in nodes where node != last {
        #expect(!change.prepared(node) && !change.prepared(node))
      }
      #expect(!change.prepared("stranger") && change.phase == .preparing && change.awaited == [last])
      #expect(!change.activated(last, hasKeyValues: true), "it is too early for that")
      #expect(change.prepared(last) && change.phase == .ready)
      #expect(!change.prepared(last) && !change.isSwitching && change.epoch.rawValue == 4)
    }
  }

  @Test("without moves it is done when all have switched")
  func plain() {
    let change = ready()
    change.begin()
    #expect(change.isSwitching && change.awaited == nodes)
    #expect(!change.activated("reef", hasKeyValues: true) && !change.activated("reef", hasKeyValues: true))
    #expect(!change.activated("stranger", hasKeyValues: false))
    #expect(!change.activated("cove", hasKeyValues: true) && change.activated("sound", hasKeyValues: true))
    #expect(change.phase == .done && !change.isSwitching && change.hasKeyValues)
    #expect(!change.activated("sound", hasKeyValues: false) && change.hasKeyValues)
  }

  @Test(
    "with moves the targets are awaited once more; what one of them has lost is lost for all", arguments: [true, false])
  func moving(arrive: Bool) {
    let change = ready()
    change.begin(movingTo: ["cove", "sound"])
    for node in ["reef", "cove"] as [NodeID] { #expect(!change.activated(node, hasKeyValues: true)) }
    #expect(change.activated("sound", hasKeyValues: true) && change.phase == .moving && change.isSwitching)
    #expect(change.awaited == ["cove", "sound"])
    #expect(!change.activated("reef", hasKeyValues: false) && change.hasKeyValues)
    #expect(!change.activated("cove", hasKeyValues: arrive))
    #expect(change.activated("sound", hasKeyValues: true))
    #expect(change.phase == .done && change.hasKeyValues == arrive)
  }

  @Test("a target that has lost them before all have switched is not awaited again")
  func lostEarly() {
    let change = ready()
    change.begin(movingTo: ["cove", "sound"])
    #expect(!change.activated("cove", hasKeyValues: true) && !change.activated("cove", hasKeyValues: false))
    // Said twice by mistake: nothing has come yet.
    #expect(!change.activated("reef", hasKeyValues: true) && !change.activated("reef", hasKeyValues: false))
    #expect(change.activated("sound", hasKeyValues: true) && change.phase == .moving)
    #expect(change.awaited == ["sound"] && !change.hasKeyValues)
    #expect(change.activated("sound", hasKeyValues: true) && change.phase == .done)
    let single = ready()
    single.begin(movingTo: ["cove"])
    for (node, isThere) in [("cove", true), ("cove", false), ("reef", true)] as [(NodeID, Bool)] {
      #expect(!single.activated(node, hasKeyValues: isThere))
    }
    #expect(single.activated("sound", hasKeyValues: true) && single.phase == .done && !single.hasKeyValues)
  }
}
