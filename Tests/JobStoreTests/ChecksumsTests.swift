import Testing

@testable import JobStore

@Suite("Checksums")
struct ChecksumsTests {
  @Test("the published check values come out")
  func checkValues() {
    Array("123456789".utf8).withUnsafeBytes {
      #expect(Checksums.crc32c($0) == 0xE306_9283)
      #expect(Checksums.crc64($0) == 0x995D_C9BB_DF19_39FA)
    }
  }

  @Test("eight bytes at a time give what single bits give, at every length and alignment")
  func sliced() {
    var random = SplitMix(1)
    let bytes = (0..<80).map { _ in UInt8(random.next(below: 256)) }
    for start in 0..<9 {
      for end in start..<bytes.count {
        var expected = ~UInt64(0)
        for byte in bytes[start..<end] {
          expected ^= UInt64(byte)
          for _ in 0..<8 { expected = (expected >> 1) ^ (expected & 1 == 1 ? 0xC96C_5795_D787_0F42 : 0) }
        }
        bytes[start..<end].withUnsafeBytes { #expect(Checksums.crc64($0) == ~expected) }
      }
    }
  }
}
