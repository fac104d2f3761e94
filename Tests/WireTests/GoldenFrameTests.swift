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

  @Test("the preface is 8 bytes that name version and plane")
  func preface() throws {
    #expect(ConnectionPreface(plane: .data).bytes == Array("SHOL".utf8) + [1, 0, 2, 0])
    for plane in ConnectionPlane.allCases {
      let read = try ConnectionPreface(plane: plane).bytes.decoding { (bytes) throws(WireError) in
        try ConnectionPreface(bytes)
      }
      #expect(read == ConnectionPreface(plane: plane))
    }
    let bytes = ConnectionPreface(plane: .data, version: 7).bytes
    let error = #expect(throws: WireError.self) {
      try bytes.decoding { (bytes) throws(WireError) in try ConnectionPreface(bytes) }
    }
    #expect(error?.code == .versionMismatch)
    #expect(error?.message.contains("version 7") == true && error?.message.contains("version 1") == true)
  }
}
