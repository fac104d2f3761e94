import Testing

@testable import Cluster

@Suite struct TopologyNodeTests {
  @Test(
    "an advertised host without a port has the port the node listens on",
    arguments: [
      ("10.0.0.12", "10.0.0.12:7070"), ("10.0.0.12:99", "10.0.0.12:99"), ("[::1]", "[::1]:7070"),
      ("[fe80::1%eth0]:99", "[fe80::1%eth0]:99"), ("box", "box:7070"),
    ])
  func advertised(_ text: String, _ hostPort: String) throws {
    let topology = try decode(sample("\"10.0.0.12\"", "\"\(text)\""))
    #expect(topology.nodes[2].advertised(listeningOn: 7070) == hostPort)
    #expect(topology.nodes[0].advertised(listeningOn: 7070) == nil)
  }

  @Test("names: 1 to 64 of the plain characters")
  func names() {
    for name in ["a", "A-z_0.9", String(repeating: "n", count: 64)] { #expect(TopologyNode.isName(name)) }
    for name in ["", "a b", "a/b", "ä", "a\n", String(repeating: "n", count: 65)] {
      #expect(!TopologyNode.isName(name))
    }
  }
}
