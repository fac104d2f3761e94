import Tensors
import Testing

@testable import Cluster

@Suite struct NodePairTests {
  @Test("two nodes are one pair in either order")
  func order() {
    #expect(NodePair("reef", "cove") == NodePair("cove", "reef"))
    #expect(Set([NodePair("reef", "cove"), NodePair("cove", "reef"), NodePair("reef", "bay")]).count == 2)
    #expect(NodePair("reef", "bay") < NodePair("reef", "cove") && NodePair("b", "a") < NodePair("a", "c"))
    #expect(NodePair("reef", "cove").description == "cove and reef")
  }
}
