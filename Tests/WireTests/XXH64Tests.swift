import Testing
import Wire

@Suite struct XXH64Tests {
  /// The generator of the xxHash project's own self-test.
  private static let buffer: [UInt8] = {
    var state: UInt64 = 2_654_435_761
    return (0..<222).map { _ in
      defer { state &*= 11_400_714_785_074_694_797 }
      return UInt8(state >> 56)
    }
  }()

  private func hash(_ bytes: some Collection<UInt8>, seed: UInt64 = 0) -> UInt64 {
    Array(bytes).withUnsafeBytes { XXH64.hash($0, seed: seed) }
  }

  @Test("the vectors of the xxHash project's self-test hold")
  func vectors() {
    let seed: UInt64 = 2_654_435_761
    #expect(hash([]) == 0xEF46_DB37_51D8_E999)
    #expect(hash([], seed: seed) == 0xAC75_FDA2_929B_17EF)
    #expect(hash(Self.buffer.prefix(1)) == 0xE934_A84A_DB05_2768)
    #expect(hash(Self.buffer.prefix(1), seed: seed) == 0x5014_6076_43A9_B4C3)
    #expect(hash(Self.buffer.prefix(4)) == 0x9136_A0DC_A574_57EE)
    #expect(hash(Self.buffer.prefix(14)) == 0x8282_DCC4_994E_35C8)
    #expect(hash(Self.buffer.prefix(14), seed: seed) == 0xC3BD_6BF6_3DEB_6DF0)
    #expect(hash(Self.buffer) == 0xB641_AE8C_B691_C174)
    #expect(hash(Self.buffer, seed: seed) == 0x20CB_8AB7_AE10_C14A)
    #expect(hash(Array("abc".utf8)) == 0x44BC_2CF5_AD77_0999)
  }

  @Test("the hash does not depend on where the bytes lie")
  func alignment() {
    let expected = hash(Self.buffer.prefix(100))
    for shift in 0..<9 {
      let shifted = [UInt8](repeating: 0, count: shift) + Self.buffer.prefix(100)
      let found = shifted.withUnsafeBytes { XXH64.hash(UnsafeRawBufferPointer(rebasing: $0[shift...])) }
      #expect(found == expected)
    }
  }
}
