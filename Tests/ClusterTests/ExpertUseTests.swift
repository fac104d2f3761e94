import Tensors
import Testing

@testable import Cluster

@Suite struct ExpertUseTests {
  private let facts = ModelFacts(expertCounts: [0, 4, 2], contextLength: 64, outputUsesEmbedding: true)

  @Test("without counts all experts are used alike, and what does not exist is not used")
  func unknown() {
    let use = ExpertUse(facts)
    #expect(use.share(of: 3, layer: 1) == 0.25 && use.share(of: 1, layer: 2) == 0.5)
    #expect(use.share(of: 4, layer: 1) == 0 && use.share(of: 0, layer: 0) == 0 && use.share(of: 0, layer: 9) == 0)
    #expect(use.share(of: -1, layer: 1) == 0 && use.share(of: 0, layer: -1) == 0)
    #expect(use.shares(2) == [0.5, 0.5] && use.shares(0).isEmpty && use.shares(3).isEmpty)
  }

  @Test("what counts is what came since the node's last report")
  func differences() {
    var use = ExpertUse(facts)
    use.add(layer: 1, counts: [10, 0, 0, 10], node: "a")
    #expect(use.shares(1) == [0.5, 0, 0, 0.5])
    use.add(layer: 1, counts: [10, 20, 0, 10], node: "a")
    #expect(use.shares(1) == [0.25, 0.5, 0, 0.25] && use.choiceCount(1) == 40)
    use.add(layer: 1, counts: [10, 20, 0, 10], node: "a")
    #expect(use.choiceCount(1) == 40, "nothing new")
    #expect(use.choiceCount(2) == 0)
    // Another host counts from its own start.
    use.add(layer: 1, counts: [0, 0, 40, 0], node: "b")
    #expect(use.shares(1) == [0.125, 0.25, 0.5, 0.125])
  }

  @Test("totals that went back are those of a new process")
  func restart() {
    var use = ExpertUse(facts)
    use.add(layer: 2, counts: [100, 100], node: "a")
    use.add(layer: 2, counts: [99, 101], node: "a")
    #expect(use.choiceCount(2) == 400)
    use.add(layer: 2, counts: [100, 101], node: "a")
    #expect(use.choiceCount(2) == 401)
  }

  @Test("older choices count half after each half-life of choices")
  func decay() {
    var use = ExpertUse(facts, halfLife: 100)
    use.add(layer: 2, counts: [64, 0], node: "a")
    use.add(layer: 2, counts: [64, 35], node: "a")
    #expect(use.choiceCount(2) == 99)
    use.add(layer: 2, counts: [64, 36], node: "a")
    #expect(use.choiceCount(2) == 32 + 17.5 + 1)
    use.add(layer: 2, counts: [64, 236], node: "a")
    #expect(use.choiceCount(2) == 50.5 / 4 + 200)
    use.add(layer: 2, counts: [64, .max / 2], node: "a")
    #expect(use.share(of: 0, layer: 2) == 0)
  }

  @Test("the use of the last hours outweighs that of the day before")
  func shift() {
    var use = ExpertUse(facts, halfLife: 1000)
    var totals: [UInt64] = [0, 0]
    for _ in 0..<1000 {
      totals[0] += 10
      use.add(layer: 2, counts: totals, node: "a")
    }
    #expect(use.share(of: 0, layer: 2) == 1)
    for _ in 0..<500 {
      totals[1] += 10
      use.add(layer: 2, counts: totals, node: "a")
    }
    #expect(use.share(of: 1, layer: 2) > 0.9 && use.choiceCount(2) < 3000)
  }

  @Test("decaying everything changes no share, but makes it easier to change")
  func decayAll() {
    var use = ExpertUse(facts)
    use.add(layer: 2, counts: [30, 10], node: "a")
    use.decay(by: 0.5)
    #expect(use.shares(2) == [0.75, 0.25] && use.choiceCount(2) == 20)
    use.decay(by: .nan)
    use.decay(by: 3)
    #expect(use.choiceCount(2) == 20)
    use.decay(by: -1)
    #expect(use.choiceCount(2) == 0 && use.shares(2) == [0.5, 0.5])
  }

  @Test("counts that do not fit the model are ignored, and any number of nodes takes no more memory")
  func bounds() {
    var use = ExpertUse(facts)
    use.add(layer: 1, counts: [1, 2, 3], node: "a")
    use.add(layer: 7, counts: [1, 2, 3], node: "a")
    use.add(layer: -1, counts: [1], node: "a")
    use.add(layer: 0, counts: [], node: "a")
    #expect(use.choiceCount(1) == 0)
    for index in 0..<10 { use.add(layer: 2, counts: [1, 0], node: NodeID("n\(index)")) }
    #expect(use.choiceCount(2) == 10)
    // The first one was forgotten, the last one was not.
    use.add(layer: 2, counts: [1, 0], node: "n9")
    #expect(use.choiceCount(2) == 10)
    use.add(layer: 2, counts: [1, 0], node: "n0")
    #expect(use.choiceCount(2) == 11)
    use.add(layer: 2, counts: [.max, .max], node: "n0")
    use.add(layer: 2, counts: [.max, .max], node: "x")
    #expect(use.shares(2).reduce(0, +) == 1)
  }
}
