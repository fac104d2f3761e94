import Tensors
import Testing

@testable import Cluster

@Suite struct ReplicaChoiceTests {
  @Test("the host computes what it holds itself, whatever it has to do already")
  func ownFirst() {
    var choice = ReplicaChoice(nodeCount: 4, own: 2)
    choice.begin()
    for _ in 0..<5 { #expect(choice.choose(among: [0, 2, 3]) == 2) }
    #expect(choice.rowCount(of: 2) == 5)
  }

  @Test("else the holder with the fewest rows, of equals the lowest index")
  func fewestRows() {
    var choice = ReplicaChoice(nodeCount: 4, own: 3)
    choice.begin()
    #expect(choice.choose(among: [1, 2]) == 1)
    #expect(choice.choose(among: [1, 2]) == 2)
    #expect(choice.choose(among: [1]) == 1)
    #expect(choice.choose(among: [0, 1]) == 0)
    #expect(choice.choose(among: [0, 2]) == 0)
    #expect(choice.choose(among: [0, 1, 2]) == 2)
  }

  @Test("each exchange begins anew, and the same rows are given to the same nodes")
  func deterministic() {
    var random = SeededGenerator(seed: 21)
    let holders: [[NodeIndex]] = (0..<32).map { _ in
      (0..<6).filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
    }.filter { !$0.isEmpty }
    var choice = ReplicaChoice(nodeCount: 6, own: 5)
    var runs: [[NodeIndex]] = []
    for _ in 0..<2 {
      choice.begin()
      runs.append(holders.map { choice.choose(among: $0) })
    }
    #expect(runs[0] == runs[1])
    for (node, among) in zip(runs[0], holders) { #expect(among.contains(node)) }
    #expect((0..<6).reduce(0) { $0 + choice.rowCount(of: $1) } == holders.count)
  }
}
