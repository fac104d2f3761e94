import Testing

@testable import Cluster

@Suite struct NodeSpeedTests {
  @Test("a fixed part and one for each row are told apart when rows vary")
  func line() {
    var random = SeededGenerator(seed: 51)
    var speed = NodeSpeed()
    for _ in 0..<200 {
      let rows = Int.random(in: 1...40, using: &random)
      speed.observe(rows: rows, seconds: 0.002 + 0.0001 * Double(rows))
    }
    #expect(abs(speed.fixedSeconds - 0.002) < 1e-5 && abs(speed.rowSeconds - 0.0001) < 1e-6)
  }

  @Test("when rows do not vary, all of the time is theirs")
  func constantRows() {
    var speed = NodeSpeed()
    for _ in 0..<50 { speed.observe(rows: 4, seconds: 0.004) }
    #expect(speed.fixedSeconds < 1e-9 && abs(speed.rowSeconds - 0.001) < 1e-9)
  }

  @Test("times that fall with the rows leave both parts positive")
  func falling() {
    var speed = NodeSpeed()
    for index in 0..<50 { speed.observe(rows: 1 + index % 8, seconds: 0.01 - 0.001 * Double(index % 8)) }
    #expect(speed.rowSeconds > 0 && speed.fixedSeconds >= 0)
  }

  @Test("one stall does not count for more than four times what was expected")
  func stall() {
    var speed = NodeSpeed()
    for index in 0..<100 { speed.observe(rows: 1 + index % 4, seconds: 0.001 * Double(1 + index % 4)) }
    speed.observe(rows: 2, seconds: 5)
    #expect(speed.fixedSeconds + 2 * speed.rowSeconds < 0.003)
  }

  @Test("what cannot be is ignored")
  func nonsense() {
    var speed = NodeSpeed()
    speed.observe(rows: 0, seconds: 1)
    speed.observe(rows: 3, seconds: -1)
    speed.observe(rows: 3, seconds: .nan)
    speed.observe(rows: 3, seconds: .infinity)
    #expect(speed.sampleCount == 0)
    speed.observe(rows: 3, seconds: 0)
    #expect(speed.sampleCount == 1 && speed.rowSeconds > 0)
  }
}
