/// FNV-1a, 64 bits: names results in a test by one number.
///
/// Source: Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm" (IETF draft).
struct FNV {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ word: UInt32) {
    for shift in [UInt32(0), 8, 16, 24] {
      value ^= UInt64(word >> shift & 0xFF)
      value &*= 0x0000_0100_0000_01b3
    }
  }

  mutating func add(_ values: [Float]) { for value in values { add(value.bitPattern) } }
}
