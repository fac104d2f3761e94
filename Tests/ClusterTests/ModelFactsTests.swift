import ModelSpec
import Tensors
import Testing

@testable import Cluster

@Suite struct ModelFactsTests {
  @Test("facts of the embedded model")
  func demo() throws {
    let facts = ModelFacts(try Repository.demoSpec())
    #expect(facts == sampleFacts)
  }

  @Test("layers that do not exist have no experts")
  func beyond() {
    let facts = ModelFacts(expertCounts: [0, 4, 8], contextLength: 1, outputUsesEmbedding: false)
    #expect(facts.expertCount(2) == 8 && facts.expertCount(3) == 0 && facts.expertCount(-1) == 0)
    #expect(facts.expertCountMax(0..<2) == 4 && facts.expertCountMax(0..<1) == 0 && facts.expertCountMax(2..<9) == 8)
    #expect(facts.expertCountMax(7..<9) == 0)
  }
}
