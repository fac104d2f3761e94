import Tensors
import Testing
import Wire

@Suite struct KeyValuesViewTests {
  private func view<Value>(
    _ bytes: [UInt8], _ body: (KeyValuesView) -> Value
  ) throws(WireError) -> Value {
    try bytes.decoding { (bytes) throws(WireError) in body(try KeyValuesView(bytes)) }
  }

  @Test("what is written is read")
  func roundTrip() throws {
    try view(DataSamples.keyValues()) { view in
      #expect(view.sequence == SequenceID(rawValue: 11) && view.layer == 4 && view.block == 2)
      #expect(Array(view.bytes) == DataSamples.slab)
    }
  }

  @Test("every truncation, a byte too many, and lengths that lie are refused")
  func refusals() {
    let bytes = DataSamples.keyValues()
    for count in 0..<bytes.count {
      #expect(throws: WireError.self) { try view(Array(bytes.prefix(count))) { _ in } }
    }
    #expect(throws: WireError.self) { try view(bytes + [0]) { _ in } }
    for length: UInt32 in [0, 39, 41, 1 << 25, (1 << 25) + 1, 1 << 31, .max] {
      var changed = bytes
      changed.replaceSubrange(16..<20, with: withUnsafeBytes(of: length.littleEndian) { Array($0) })
      #expect(throws: WireError.self) { try view(changed) { _ in } }
    }
  }

  @Test("no changed byte of the head stops the process, and reserved ones must be zero")
  func flips() {
    let bytes = DataSamples.keyValues()
    for index in 0..<KeyValuesWriter.headBytes {
      for mask: UInt8 in [1, 0x80, 0xFF] {
        var changed = bytes
        changed[index] ^= mask
        let isChecked = (10..<12).contains(index) || (16..<24).contains(index)
        do throws(WireError) {
          try view(changed) { view in #expect(view.bytes.count == DataSamples.slab.count) }
          #expect(!isChecked, "byte \(index) may be anything")
        } catch {
          #expect(isChecked && error.offset <= changed.count)
        }
      }
    }
  }

  @Test("the limit of the frame is that of the largest slab with its head")
  func limit() {
    #expect(FrameType.keyValues.payloadLimit == KeyValuesWriter.headBytes + WireLimits.keyValueSlabBytes)
    let largest = KeyValuesWriter(
      sequence: SequenceID(rawValue: 1), layer: 0, block: 0, byteCount: WireLimits.keyValueSlabBytes)
    #expect(largest.byteCount == FrameType.keyValues.payloadLimit)
  }
}
