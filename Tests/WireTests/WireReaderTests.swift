import Testing
import Wire

@Suite struct WireReaderTests {
  private func read<Value>(
    _ bytes: [UInt8], _ body: (inout WireReader) throws(WireError) -> Value
  ) throws(WireError) -> Value {
    try bytes.decoding { (bytes) throws(WireError) in
      var reader = WireReader(bytes)
      return try body(&reader)
    }
  }

  @Test("integers are little-endian, at any offset")
  func integers() throws {
    try read([9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]) { (reader) throws(WireError) in
      #expect(try reader.u8("a") == 9)
      #expect(try reader.u16("b") == 0x0201)
      #expect(try reader.u32("c") == 0x0605_0403)
      #expect(try reader.u64("d") == 0x0E0D_0C0B_0A09_0807)
      #expect(reader.offset == 15 && reader.remaining == 1)
    }
  }

  @Test("a read past the end names the field and the byte")
  func truncated() {
    let error = #expect(throws: WireError.self) {
      try read([1, 2, 3]) { (reader) throws(WireError) in
        _ = try reader.u8("first")
        _ = try reader.u32("the second field")
      }
    }
    #expect(error?.code == .truncated && error?.offset == 1)
    #expect(error?.description.contains("the second field") == true)
  }

  @Test("a count is checked against limit and remaining bytes before anything is made of it")
  func counts() throws {
    func count(_ value: [UInt8], _ extra: Int) throws(WireError) -> Int {
      try read(value + [UInt8](repeating: 0, count: extra)) { (reader) throws(WireError) in
        try reader.count("things", limit: 1000, elementBytes: 8)
      }
    }
    #expect(try count([2, 0, 0, 0], 16) == 2)
    #expect(throws: WireError.self) { try count([2, 0, 0, 0], 15) }
    let error = #expect(throws: WireError.self) { try count([255, 255, 255, 255], 64) }
    #expect(error?.code == .overLimit)
  }

  @Test("text that is not UTF-8, bools that are not 0 or 1, and reserved bytes that are set are refused")
  func values() throws {
    #expect(try read([2, 0, 0, 0, 0xC3, 0xB6]) { (reader) throws(WireError) in try reader.string("text") } == "ö")
    let bad = #expect(throws: WireError.self) {
      try read([2, 0, 0, 0, 0xC3, 0x28]) { (reader) throws(WireError) in try reader.string("text") }
    }
    #expect(bad?.code == .badText)
    #expect(throws: WireError.self) { try read([2]) { (reader) throws(WireError) in try reader.bool("flag") } }
    #expect(throws: WireError.self) { try read([0, 1]) { (reader) throws(WireError) in try reader.zeros(2, "none") } }
    #expect(throws: WireError.self) {
      try read([255, 255, 255, 255, 255, 255, 255, 127]) { (reader) throws(WireError) in try reader.long("size") }
    }
    #expect(throws: WireError.self) { try read([7]) { (reader) throws(WireError) in try reader.finish() } }
  }
}
