import Testing
import Wire

@Suite struct ConnectionPrefaceTests {
  private func preface(_ bytes: [UInt8]) throws(WireError) -> ConnectionPreface {
    try bytes.decoding { (bytes) throws(WireError) in try ConnectionPreface(bytes) }
  }

  @Test("the preface is 8 bytes that name version and plane")
  func bytes() throws {
    #expect(ConnectionPreface(plane: .data).bytes == Array("SHOL".utf8) + [4, 0, 2, 0])
    for plane in ConnectionPlane.allCases {
      #expect(try preface(ConnectionPreface(plane: plane).bytes) == ConnectionPreface(plane: plane))
    }
  }

  @Test("another version is reported with both numbers")
  func version() {
    let error = #expect(throws: WireError.self) { try preface(ConnectionPreface(plane: .data, version: 7).bytes) }
    #expect(error?.code == .versionMismatch)
    #expect(error?.message.contains("version 7") == true && error?.message.contains("version 4") == true)
  }

  @Test("strangers, unknown planes, reserved bits and other lengths are refused")
  func refused() {
    let good = ConnectionPreface(plane: .data).bytes
    for index in good.indices {
      var changed = good
      changed[index] ^= 0x40
      #expect(throws: WireError.self) { try preface(changed) }
      #expect(throws: WireError.self) { try preface(Array(good.prefix(index))) }
    }
    #expect(throws: WireError.self) { try preface(good + [0]) }
  }
}
