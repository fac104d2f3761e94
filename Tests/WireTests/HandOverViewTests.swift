import Scheduling
import Tensors
import Testing
import Wire

@Suite struct HandOverViewTests {
  private func view<Value>(
    _ bytes: [UInt8], hiddenSize: Int = 8, _ body: (HandOverView) throws(WireError) -> Value
  ) throws(WireError) -> Value {
    try bytes.decoding { (bytes) throws(WireError) in try body(try HandOverView(bytes, hiddenSize: hiddenSize)) }
  }

  @Test("rows and entries arrive, tokens stay behind")
  func roundTrip() throws {
    try view(DataSamples.handOver()) { (view) throws(WireError) in
      #expect(view.pass == 0 && view.passCount == 2 && view.stage == 1 && view.rowCount == 6)
      #expect(view.released == [SequenceID(rawValue: 10), SequenceID(rawValue: 9)])
      #expect(view.entries.map(\.sequence) == Samples.entries.map(\.sequence))
      #expect(view.entries.map(\.wanted) == Samples.entries.map(\.wanted))
      #expect(view.entries.map(\.opening) == Samples.entries.map(\.opening))
      #expect(view.entries.allSatisfy { $0.tokens.isEmpty })
      var rows = [Float](repeating: -1, count: 48)
      view.copyRows(into: &rows)
      #expect(rows == (0..<48).map { Float($0) / 16 })
    }
  }

  @Test("a hand-over may carry nothing but sequences to release")
  func empty() throws {
    try view(DataSamples.handOver(entries: [])) { (view) throws(WireError) in
      #expect(view.passCount == 0 && view.rowCount == 0 && view.released.count == 2)
    }
  }

  @Test("every truncation, another hidden size and numbers that are not finite are refused")
  func refusals() {
    let bytes = DataSamples.handOver()
    for count in 0..<bytes.count {
      #expect(throws: WireError.self) { try view(Array(bytes.prefix(count))) { _ in } }
    }
    #expect(throws: WireError.self) { try view(bytes + [0]) { _ in } }
    #expect(throws: WireError.self) { try view(bytes, hiddenSize: 9) { _ in } }
    var changed = bytes
    changed.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 0, 0x80, 0x7F])
    #expect(throws: WireError.self) { try view(changed) { _ in } }
  }

  @Test("no changed byte of the head stops the process")
  func flips() {
    let bytes = DataSamples.handOver()
    for index in 0..<bytes.count - 6 * 8 * 4 {
      for mask: UInt8 in [1, 0x80, 0xFF] {
        var changed = bytes
        changed[index] ^= mask
        do throws(WireError) {
          try view(changed) { (view) throws(WireError) in #expect(view.rowCount == 6) }
        } catch {
          #expect(error.offset <= changed.count)
        }
      }
    }
  }
}
