import Testing

@testable import Cluster

@Suite struct NodeAddressTests {
  @Test("hosts and ports")
  func split() {
    #expect(NodeAddress.split("10.0.0.1:7070")?.host == "10.0.0.1")
    #expect(NodeAddress.split("10.0.0.1:7070")?.port == 7070)
    #expect(NodeAddress.split("box-1.local:65535")?.port == 65_535)
    #expect(NodeAddress.split("[fe80::1%eth0]:1")?.host == "fe80::1%eth0")
    #expect(NodeAddress.split("[::1]")?.host == "::1")
    #expect(NodeAddress.split("box")?.port == nil)
  }

  @Test(
    "refused",
    arguments: [
      "", ":7070", "a:", "a:0", "a:65536", "a:1:2", "::1", "a b:1", "http://a:1", "[::1", "[]:1", "[box]:1", "a:+1",
      "a:123456", "é:1", "[::1]7070",
    ])
  func refused(_ text: String) {
    #expect(NodeAddress.split(text) == nil)
  }
}
