import Testing

@testable import Sampling

@Suite("LogitScan")
struct LogitScanTests {
  @Test("scans find what is largest, not finite or above a threshold, at every place", arguments: [1, 15, 16, 17, 50])
  func scans(count: Int) {
    for index in 0..<count {
      var values = [Float](repeating: -2, count: count)
      values[index] = 1
      values.withUnsafeBufferPointer {
        #expect(LogitScan.largest($0) == 1)
        #expect(LogitScan.areFinite($0))
        var found: [Int] = []
        LogitScan.forEach(above: 0, in: $0) {
          found.append($0)
          return 0
        }
        #expect(found == [index])
      }
      for bad in [Float.nan, -.nan, .infinity, -.infinity, .signalingNaN] {
        values[index] = bad
        values.withUnsafeBufferPointer { #expect(!LogitScan.areFinite($0)) }
      }
      for good in [Float.greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, -0.0] {
        values[index] = good
        values.withUnsafeBufferPointer { #expect(LogitScan.areFinite($0)) }
      }
    }
    let none = UnsafeBufferPointer<Float>(start: nil, count: 0)
    #expect(LogitScan.largest(none) == -.infinity)
  }
}
