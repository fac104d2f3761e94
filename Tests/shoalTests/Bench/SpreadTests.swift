import Testing

@testable import shoal

@Suite struct SpreadTests {
  @Test("the middle one, the smallest and the largest, in whatever order they came")
  func odd() throws {
    let spread = try #require(Spread([3, 9, 1, 7, 2]))
    #expect(spread.median == 3 && spread.min == 1 && spread.max == 9)
  }

  @Test("of an even number the median is the mean of the two in the middle; one is all three")
  func even() throws {
    #expect(try #require(Spread([4, 1, 2, 100])).median == 3)
    let one = try #require(Spread([5]))
    #expect(one.median == 5 && one.min == 5 && one.max == 5)
    #expect(Spread([]) == nil)
  }
}
