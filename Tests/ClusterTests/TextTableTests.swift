import Testing

@testable import Cluster

@Suite struct TextTableTests {
  @Test("columns are as wide as their cells, numbers to the right")
  func aligned() {
    var table = TextTable([.init(heading: "node"), .init(heading: "n", isRightAligned: true), .init(heading: "x")])
    table.rows = [["a", "100", ""], ["longer", "7", "y"]]
    #expect(table.lines(width: 100) == ["node      n  x", "a       100", "longer    7  y"])
  }

  @Test("the widest columns that may shrink give way, down to eight characters")
  func shrunk() {
    var table = TextTable([
      .init(heading: "a", mayShrink: true), .init(heading: "b"), .init(heading: "c", mayShrink: true),
    ])
    table.rows = [[String(repeating: "x", count: 30), "fixed", String(repeating: "y", count: 12)]]
    #expect(table.lines(width: 40)[1] == "xxxxxxxxxxxxxxxxx..  fixed  yyyyyyyyyyyy")
    #expect(table.lines(width: 10)[1] == "xxxxxx..  fixed  yyyyyy..")
  }
}
