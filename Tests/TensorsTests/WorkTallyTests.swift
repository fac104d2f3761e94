import Tensors
import Testing

@Suite struct WorkTallyTests {
  /// A tally whose numbers are all different.
  private func tally(from first: UInt64) -> WorkTally {
    var tally = WorkTally()
    for part in WorkPart.allCases { tally.times[part] = first + UInt64(part.rawValue) }
    tally.sentBytes = first + 100
    tally.roundTrips = first + 200
    return tally
  }

  @Test("each part has a time of its own")
  func parts() {
    let times = tally(from: 1).times
    #expect(
      [times.attention, times.router, times.experts, times.output, times.wire, times.waiting] == [1, 2, 3, 4, 5, 6])
    #expect(WorkPart.allCases.map { times[$0] } == [1, 2, 3, 4, 5, 6])
  }

  @Test("sums and differences take every number, and survive numbers that no clock has measured")
  func arithmetic() {
    let sum = tally(from: 10) + tally(from: 1)
    #expect(sum.times.waiting == 21 && sum.sentBytes == 211 && sum.roundTrips == 411)
    #expect(sum - tally(from: 1) == tally(from: 10))
    var huge = WorkTally()
    huge.sentBytes = .max
    #expect((huge + tally(from: 1)).sentBytes == 100)
  }

  @Test("a reading is later when nothing fell")
  func later() {
    let earlier = tally(from: 5)
    #expect(earlier.isLater(than: earlier) && tally(from: 6).isLater(than: earlier))
    for part in WorkPart.allCases {
      var fallen = tally(from: 6)
      fallen.times[part] = 0
      #expect(!fallen.isLater(than: earlier))
    }
    var fallen = tally(from: 6)
    fallen.roundTrips = 0
    #expect(!fallen.isLater(than: earlier))
  }
}
