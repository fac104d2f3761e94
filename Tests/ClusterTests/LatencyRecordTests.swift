import Testing

@testable import Cluster

@Suite struct LatencyRecordTests {
  @Test("no quantile below 32 samples")
  func few() {
    var record = LatencyRecord()
    for _ in 0..<31 { record.observe(.milliseconds(3)) }
    #expect(record.quantile(0.5) == nil)
    record.observe(.milliseconds(3))
    #expect(record.quantile(0.5) != nil && record.quantile(.nan) == nil)
  }

  @Test("a quantile lies at or at most 9.1 % above the true one, from 1 us to minutes")
  func resolution() throws {
    for nanoseconds in [1024, 1500, 2047, 4096, 99_999, 1_000_000, 48_611_117, 999_999_999, 300_000_000_000] {
      var record = LatencyRecord()
      for _ in 0..<100 { record.observe(.nanoseconds(nanoseconds)) }
      for share in [-1, 0, 0.5, 0.99, 1, 2] {
        let found = try #require(record.quantile(share))
        #expect(found >= .nanoseconds(nanoseconds) && found <= .nanoseconds(nanoseconds) * 1.0911, "\(nanoseconds)")
      }
    }
  }

  @Test("quantiles of many durations are those of the sorted list")
  func quantiles() throws {
    var random = SeededGenerator(seed: 41)
    var record = LatencyRecord()
    var all: [Int] = []
    for _ in 0..<1000 {
      let nanoseconds = Int(
        1e4 * Double.random(in: 1...100, using: &random) * Double.random(in: 1...100, using: &random))
      all.append(nanoseconds)
      record.observe(.nanoseconds(nanoseconds))
    }
    all.sort()
    for share in [0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1] {
      let exact = all[max(0, Int((share * 1000).rounded(.up)) - 1)]
      let found = try #require(record.quantile(share))
      #expect(found >= .nanoseconds(exact) && found <= .nanoseconds(exact) * 1.0911, "\(share)")
    }
  }

  @Test("what lies beyond the range is in the first or last bucket")
  func beyond() throws {
    var record = LatencyRecord()
    for _ in 0..<32 { record.observe(.seconds(-5)) }
    #expect(try #require(record.quantile(1)) <= .nanoseconds(1200))
    for _ in 0..<33 { record.observe(.seconds(Int64.max / 2)) }
    #expect(try #require(record.quantile(0)) <= .nanoseconds(1200))
    #expect(try #require(record.quantile(1)) > .seconds(1000))
  }

  @Test("old durations lose their weight, and are forgotten")
  func decay() throws {
    var record = LatencyRecord()
    for _ in 0..<1024 { record.observe(.milliseconds(100)) }
    for _ in 0..<600 { record.observe(.milliseconds(1)) }
    // 512 old ones against 600 new ones.
    #expect(try #require(record.quantile(0.5)) < .milliseconds(2))
    #expect(try #require(record.quantile(0.9)) > .milliseconds(99))
    for _ in 0..<20 * 1024 { record.observe(.milliseconds(1)) }
    #expect(try #require(record.quantile(1)) < .milliseconds(2))
    #expect(record.sampleCount == 21 * 1024 + 600)
  }

  @Test("a rare slow one among many still shows at the end after some halvings")
  func rare() throws {
    var record = LatencyRecord()
    record.observe(.seconds(1))
    for _ in 0..<4 * 1024 { record.observe(.milliseconds(1)) }
    #expect(try #require(record.quantile(1)) >= .seconds(1))
    #expect(try #require(record.quantile(0.999)) < .milliseconds(2))
  }
}
