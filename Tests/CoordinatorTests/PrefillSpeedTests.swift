import Testing

@testable import Coordinator

@Suite struct PrefillSpeedTests {
  @Test("a quarter of what each step shows is believed")
  func measured() {
    var speed = PrefillSpeed()
    let first = speed.rowsPerSecond
    speed.measured(rows: 100, in: .seconds(1) / 10)
    #expect(speed.rowsPerSecond == first + (1000 - first) / 4)
    for _ in 0..<100 { speed.measured(rows: 50, in: .seconds(1)) }
    #expect(abs(speed.rowsPerSecond - 50) < 0.001)
  }

  @Test("steps of a few rows, or of no time, say nothing")
  func nothing() {
    var speed = PrefillSpeed()
    let first = speed.rowsPerSecond
    speed.measured(rows: 7, in: .seconds(1))
    speed.measured(rows: 100, in: .zero)
    speed.measured(rows: 100, in: .seconds(-1))
    #expect(speed.rowsPerSecond == first)
  }
}
