import Cluster
import Tensors
import Testing
import Transport

@testable import Coordinator

@Suite struct RunningPlacementTests {
  private let nodes: [NodeID] = ["reef", "cove", "sound", "spare"]

  private func running(hosts: [Int] = [0], experts: [NodeID: [Range<Int>]]) -> RunningPlacement {
    let placement = Lab.placement(nodes, hosts: hosts, experts: experts)
    var members: [NodeID: LinkID] = [:]
    for (index, node) in nodes.enumerated() { members[node] = LinkID(rawValue: UInt64(index)) }
    return RunningPlacement(placement: placement, members: members)
  }

  @Test("a lost node breaks a placement when it is a host, or has an expert that nobody else has")
  func losses() {
    let experts: [NodeID: [Range<Int>]] = ["reef": [0..<2], "cove": [0..<4], "sound": [2..<4]]
    var placement = running(experts: experts)
    placement.lose("spare")
    placement.lose("nobody")
    #expect(placement.lost.isEmpty && !placement.isBroken)
    placement.lose("sound")
    #expect(!placement.isBroken && placement.lost == ["sound"])
    #expect(placement.effective.stages[0].experts.map(\.node) == [0, 1])
    placement.lose("cove")
    #expect(placement.isBroken)
    var other = running(experts: experts)
    other.lose("reef")
    #expect(other.isBroken, "it is a host")
  }

  @Test("what is left after losses is the placement without them; the epoch stays")
  func effective() {
    var placement = running(experts: ["reef": [0..<4], "cove": [0..<4]])
    #expect(placement.effective == placement.placement)
    placement.lose("cove")
    #expect(placement.effective.epoch == placement.epoch && placement.effective.participants == [0])
  }

  @Test("a host can do without the connection to a node that others can answer for, not to the next stage's host")
  func connections() {
    let split = running(experts: ["reef": [0..<2], "cove": [2..<4]])
    #expect(!split.canDo(without: "cove", on: "reef") && !split.canDo(without: "reef", on: "cove"))
    #expect(split.canDo(without: "sound", on: "reef") && split.canDo(without: "nobody", on: "reef"))
    let replicas = running(experts: ["reef": [0..<2], "cove": [2..<4], "sound": [2..<4]])
    #expect(replicas.canDo(without: "cove", on: "reef") && replicas.canDo(without: "sound", on: "reef"))
    #expect(replicas.canDo(without: "sound", on: "cove"), "neither is a host")
    let stages = running(hosts: [0, 1], experts: ["reef": [0..<4], "cove": [0..<4]])
    #expect(!stages.canDo(without: "cove", on: "reef") && !stages.canDo(without: "reef", on: "cove"))
    var worn = running(experts: ["reef": [0..<2], "cove": [2..<4], "sound": [2..<4]])
    worn.lose("sound")
    #expect(!worn.canDo(without: "cove", on: "reef"), "the replica is gone already")
  }

  @Test("the host of a layer is told with the connection it had when it began")
  func hosts() {
    let placement = running(hosts: [2, 1], experts: ["reef": [0..<4]])
    #expect(placement.firstHost == "sound" && placement.lastHost == "cove")
    #expect(placement.host(of: 1)?.node == "cove" && placement.host(of: 1)?.link == LinkID(rawValue: 1))
    #expect(placement.host(of: 2) == nil)
    #expect(placement.participants.sorted() == ["cove", "reef", "sound"])
  }
}
