import Testing
import Wire

@Suite struct GoldenFrameTests {
  @Test("control frames are byte for byte those of this protocol version")
  func control() throws {
    for (name, message) in Samples.control {
      let golden = try GoldenFile.bytes(name)
      let frame = try Samples.frame(message)
      #expect(frame == golden, "\(name) is now\n\(GoldenFile.hex(frame))")
      let decoded = try golden.decoding { (bytes) throws(WireError) in
        let header = try FrameHeader(bytes)
        let payload = UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...])
        try header.check(payload: payload)
        return try ControlMessage(type: header.type, payload: payload)
      }
      #expect(decoded == message)
    }
  }

  @Test("data and weights frames are byte for byte those of this protocol version")
  func data() throws {
    for (name, frame) in DataSamples.frames {
      #expect(try frame == GoldenFile.bytes(name), "\(name) is now\n\(GoldenFile.hex(frame))")
    }
    let names = Set(Samples.control.map(\.message.type)).count + DataSamples.frames.count
    #expect(names == FrameType.allCases.count)
  }
}
