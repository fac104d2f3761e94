import Testing

@testable import Transport

@Suite struct AcknowledgementWatchTests {
  private let start = ContinuousClock.now

  /// Looks every half second: how many bytes are acknowledged then and whether others are on their way.
  /// - Returns: the looks at which the connection is taken for cut.
  private func cuts(_ looks: [(acknowledged: UInt64, isUnderWay: Bool)]) -> [Int] {
    var watch = AcknowledgementWatch()
    return looks.indices.filter {
      watch.look(
        acknowledged: looks[$0].acknowledged, isUnderWay: looks[$0].isUnderWay,
        at: start + AcknowledgementWatch.interval * $0)
    }
  }

  @Test("bytes on their way of which none is acknowledged for two seconds mean a cut")
  func cut() {
    #expect(cuts(Array(repeating: (7, true), count: 6)) == [4, 5])
    #expect(cuts([(7, false), (7, false), (7, true), (7, true), (7, true), (7, true), (7, true)]) == [6])
  }

  @Test("one acknowledged byte, or nothing on its way, is a sign of life")
  func alive() {
    #expect(cuts((0..<20).map { ($0 / 4, true) }).isEmpty)
    #expect(cuts((0..<20).map { (7, $0 % 4 != 3) }).isEmpty)
    #expect(cuts(Array(repeating: (7, false), count: 20)).isEmpty)
  }
}
