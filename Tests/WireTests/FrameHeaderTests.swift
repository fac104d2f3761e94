import Tensors
import Testing
import Wire

@Suite struct FrameHeaderTests {
  private static let frame = DataSamples.frame(.combine, [1, 2, 3, 4, 5], flags: .prefill)

  private func header(_ bytes: [UInt8]) throws(WireError) -> FrameHeader {
    try bytes.decoding { (bytes) throws(WireError) in try FrameHeader(bytes) }
  }

  @Test("every field has its place")
  func layout() throws {
    #expect(FrameHeader.byteCount == 48)
    let bytes = Self.frame
    #expect(Array(bytes[0..<4]) == Array("SHOL".utf8))
    #expect(bytes[4...5].elementsEqual([4, 0]))
    #expect(bytes[6] == 65 && bytes[7] == 1)
    #expect(bytes[8..<12].elementsEqual([7, 0, 0, 0]))
    #expect(bytes[12..<16].elementsEqual([2, 0, 0, 0]))
    #expect(bytes[16..<24].elementsEqual([99, 0, 0, 0, 0, 0, 0, 0]))
    #expect(bytes[24..<32].elementsEqual([5, 0, 0, 0, 0, 0, 0, 0]))
    let payloadHash = [1, 2, 3, 4, 5].withUnsafeHash()
    #expect(bytes[32..<40].elementsEqual(payloadHash))
    #expect(bytes[40..<48].elementsEqual(Array(bytes[0..<40]).withUnsafeHash()))
    let read = try header(bytes)
    #expect(read.type == .combine && read.flags == .prefill && read.payloadByteCount == 5)
    #expect(read.epoch.rawValue == 7 && read.term.rawValue == 2 && read.stream == 99)
  }

  @Test("a header with any bit changed is refused")
  func bitFlips() {
    for bit in 0..<8 * FrameHeader.byteCount {
      var bytes = Self.frame
      bytes[bit / 8] ^= 1 << (bit % 8)
      #expect(throws: WireError.self) { try header(bytes) }
    }
  }

  @Test("a header that is too short is refused")
  func truncation() {
    for count in 0..<FrameHeader.byteCount {
      #expect(throws: WireError.self) { try header(Array(Self.frame.prefix(count))) }
    }
  }

  /// The frame with a field changed and the header's checksum made to fit.
  private func forged(at offset: Int, _ replacement: [UInt8]) -> [UInt8] {
    var bytes = Self.frame
    bytes.replaceSubrange(offset..<offset + replacement.count, with: replacement)
    bytes.replaceSubrange(40..<48, with: Array(bytes[0..<40]).withUnsafeHash())
    return bytes
  }

  @Test("what a peer may not say is refused even with a right checksum")
  func forgeries() {
    let cases: [(Int, [UInt8], WireError.Code)] = [
      (0, [0], .badMagic), (4, [1], .versionMismatch), (6, [200], .unknownType), (7, [2], .badValue),
      (24, [0, 0, 0, 0x80], .overLimit), (24, [255, 255, 255, 255], .overLimit), (28, [1], .badValue),
      (28, [0, 0, 0, 0x40], .badValue),
    ]
    for (offset, replacement, code) in cases {
      let error = #expect(throws: WireError.self) { try header(forged(at: offset, replacement)) }
      #expect(error?.code == code)
    }
  }

  @Test("another version is reported with both numbers")
  func version() {
    let error = #expect(throws: WireError.self) { try header(forged(at: 4, [9])) }
    #expect(error?.message.contains("version 9") == true)
    #expect(error?.message.contains("version 4") == true)
  }

  @Test("a payload that was changed is noticed")
  func payload() throws {
    let read = try header(Self.frame)
    let changed: [UInt8] = [1, 2, 3, 4, 6]
    #expect(throws: WireError.self) {
      try changed.decoding { (bytes) throws(WireError) in try read.check(payload: bytes) }
    }
    let short: [UInt8] = [1, 2, 3, 4]
    #expect(throws: WireError.self) {
      try short.decoding { (bytes) throws(WireError) in try read.check(payload: bytes) }
    }
  }

  @Test("no type allows more than 128 MiB, and each belongs to the plane of its number")
  func limits() {
    for type in FrameType.allCases {
      #expect(type.payloadLimit <= 128 << 20)
      #expect(
        type.plane
          == (type.rawValue < 64 ? .control : type.rawValue < 96 ? .data : type.rawValue < 112 ? .weights : .pieces))
    }
  }
}

extension [UInt8] {
  /// Lends the bytes to a decoder, whose error stays typed.
  func decoding<Value>(_ body: (UnsafeRawBufferPointer) throws(WireError) -> Value) throws(WireError) -> Value {
    let result: Result<Value, WireError> = withUnsafeBytes { bytes in
      do throws(WireError) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// XXH64 of the bytes, little-endian.
  func withUnsafeHash() -> [UInt8] {
    let hash = withUnsafeBytes { XXH64.hash($0) }
    return (0..<8).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt64($0))) }
  }
}
