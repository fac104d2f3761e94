import Cluster
import Tensors
import Testing
import Wire

@testable import Coordinator

/// What the coordinator tells clients of itself.
@Suite("What the coordinator says of itself")
struct CoordinatorStatusTests {
  private let three: [NodeID] = ["reef", "cove", "sound"]

  private func status(_ client: RawClient) -> TopologyStatus? {
    client.messages.reduce(nil) { if case .topologyStatus(let status) = $1 { status } else { $0 } }
  }

  private func load(_ client: RawClient) -> LoadReport? {
    client.messages.reduce(nil) { if case .loadReport(let report) = $1 { report } else { $0 } }
  }

  @Test("the status names the placement that runs, every node, and what is wrong")
  func topology() throws {
    let lab = try Lab(nodes: three, hosts: [0], missing: ["sound"]) { $0.bringUp = .patient }
    let client = lab.addRawClient()
    func ask(_ request: UInt64) -> TopologyStatus? {
      client.send(.topologyRequest(JobsRequest(request: request)))
      lab.settle()
      return status(client)
    }
    lab.settle()
    let first = try #require(ask(1))
    #expect(first.request == 1 && first.state == .preparing && first.placement == nil && first.epoch.rawValue == 0)
    #expect(first.nodes.map(\.isConnected) == [true, true, false], "cove, reef, sound")
    #expect(first.nodes.map(\.address) == ["node:7002", "node:7001", "node:7003"])
    #expect(first.nodes.map(\.memoryBytes) == [1 << 30, 1 << 30, 0] && first.nodes[2].reason.contains("node:7003"))
    lab.pass(.seconds(12), by: .seconds(1))
    let second = try #require(ask(2))
    #expect(second.state == .preparing && second.epoch.rawValue == 1 && second.message.contains("sound"))
    #expect(second.placement?.participants.count == 2)
    lab.startWorker("sound")
    lab.pass(.seconds(3), by: .milliseconds(500))
    let third = try #require(ask(3))
    #expect(third.state == .running && third.message == "" && third.epoch == third.placement?.epoch)
    lab.handle.edited(.refused("line 3"))
    let fourth = try #require(ask(4))
    #expect(fourth.state == .refused && fourth.message == "line 3" && fourth.epoch == third.epoch)
  }

  @Test("the load is what all hosts say, after each has been asked")
  func loadReport() throws {
    let lab = try Lab(nodes: three, hosts: [0, 1])
    lab.settle()
    for (node, layer) in [(NodeID("reef"), LayerIndex(0)), ("cove", 1)] {
      lab.worker(node)?.bend = { message in
        guard case .useRequest = message else { return nil }
        return [
          .expertUse(
            ExpertUseReport(
              layers: [ExpertUseReport.Layer(layer: layer, counts: [0, 10, 30, 0])],
              speeds: [ExpertUseReport.Speed(node: "sound", rowNanoseconds: node == "reef" ? 1000 : 3000)]))
        ]
      }
    }
    let client = lab.addRawClient()
    client.send(.loadRequest(JobsRequest(request: 4)))
    lab.settle()
    let report = try #require(load(client))
    #expect(report.request == 4 && report.layers.map(\.weights) == [[0, 0.25, 0.75, 0], [0, 0.25, 0.75, 0]])
    #expect(report.speeds == [ExpertUseReport.Speed(node: "sound", rowNanoseconds: 2000)])
    #expect(report.nodes.count == 3)
    #expect(lab.worker("sound")?.received.contains(.useRequest) == false, "it hosts nothing")
  }

  @Test("a host that does not answer holds the report up for a moment only; without hosts it comes at once")
  func silentHost() throws {
    let lab = try Lab()
    lab.settle()
    let client = lab.addRawClient()
    client.send(.loadRequest(JobsRequest(request: 4)))
    lab.settle()
    #expect(load(client) == nil)
    lab.pass(.seconds(3), by: .milliseconds(100))
    #expect(load(client)?.layers.map(\.weights) == [[0.25, 0.25, 0.25, 0.25]])
    let waiting = try Lab(missing: ["reef"]) { $0.bringUp = .patient }
    let other = waiting.addRawClient()
    other.send(.loadRequest(JobsRequest(request: 5)))
    waiting.settle()
    #expect(load(other)?.request == 5)
  }
}
