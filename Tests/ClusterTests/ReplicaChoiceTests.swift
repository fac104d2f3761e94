import Tensors
import Testing

@testable import Cluster

@Suite struct ReplicaChoiceTests {
  @Test("as long as nothing is measured, the holder with the fewest rows; of equals the host, then the lowest index")
  func fewestRows() {
    var choice = ReplicaChoice(nodeCount: 4, own: 3)
    choice.begin()
    #expect(choice.choose(among: [1, 2]) == 1)
    #expect(choice.choose(among: [1, 2]) == 2)
    #expect(choice.choose(among: [1]) == 1)
    #expect(choice.choose(among: [0, 1, 3]) == 3)
    #expect(choice.choose(among: [0, 1, 3]) == 0)
    #expect(choice.choose(among: [0, 2, 3]) == 3)
    #expect((0..<4).map { choice.rowCount(of: NodeIndex($0)) } == [1, 2, 1, 2])
  }

  @Test("rows are shared by measured speed")
  func speeds() {
    var choice = ReplicaChoice(nodeCount: 3, own: 0)
    for _ in 0..<20 {
      choice.measured(node: 0, rows: 4, time: .milliseconds(8))
      choice.measured(node: 1, rows: 4, time: .milliseconds(4))
      choice.measured(node: 2, rows: 4, time: .milliseconds(16))
    }
    choice.begin()
    for _ in 0..<70 { _ = choice.choose(among: [0, 1, 2]) }
    #expect((0..<3).map { choice.rowCount(of: NodeIndex($0)) } == [20, 40, 10])
  }

  @Test("a node that answers late whatever it is given gets rows only when they are worth the wait")
  func fixedPart() {
    var choice = ReplicaChoice(nodeCount: 2, own: 0)
    for index in 0..<64 {
      let rows = 1 + index % 16
      choice.measured(node: 0, rows: rows, time: .microseconds(100 * rows))
      choice.measured(node: 1, rows: rows, time: .microseconds(1000 + 10 * rows))
    }
    choice.begin()
    for _ in 0..<9 { #expect(choice.choose(among: [0, 1]) == 0) }
    let rest = (0..<20).map { _ in choice.choose(among: [0, 1]) }
    #expect(rest.count { $0 == 1 } > 10)
  }

  @Test("a node that nothing is known of counts as the average")
  func unmeasured() {
    var choice = ReplicaChoice(nodeCount: 3, own: 0)
    choice.measured(node: 0, rows: 1, time: .milliseconds(1))
    choice.measured(node: 1, rows: 1, time: .milliseconds(3))
    choice.begin()
    // 1, 3 and 2 ms a row: in 6 ms they do 6, 2 and 3.
    for _ in 0..<11 { _ = choice.choose(among: [0, 1, 2]) }
    #expect((0..<3).map { choice.rowCount(of: NodeIndex($0)) } == [6, 2, 3])
  }

  @Test("lost nodes and the late one are passed over, and none is nil")
  func exclusion() {
    var choice = ReplicaChoice(nodeCount: 4, own: 3)
    choice.exclude(1)
    choice.begin()
    for _ in 0..<3 { #expect(choice.choose(among: [1, 2]) == 2) }
    #expect(choice.choose(among: [0, 1, 2], except: 0) == 2)
    #expect(choice.choose(among: [1, 2], except: 2) == nil)
    #expect(choice.choose(among: [], except: nil) == nil)
    #expect(choice.rowCount(of: 1) == 0 && choice.rowCount(of: 2) == 4)
    // The caller has to send it somewhere, and will hear that it does not work.
    #expect(choice.choose(among: [1]) == 1 && choice.rowCount(of: 1) == 1)
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
