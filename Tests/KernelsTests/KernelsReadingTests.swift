import Kernels
import Testing

@Suite struct KernelsReadingTests {
  @Test("every instruction set reads every word once")
  func sums() throws {
    var random = SeededRandom(7)
    let bytes = 3 * Kernels.readUnit
    // One byte in front, so that nothing is aligned.
    let memory = (0..<bytes + 1).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    try memory.withUnsafeBytes { memory in
      let base = try #require(memory.baseAddress) + 1
      var expected: UInt64 = 0
      for offset in stride(from: 0, to: bytes, by: 8) {
        expected &+= base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      }
      for set in Kernels.available {
        let kernels = try Kernels.select(set)
        #expect(kernels.sumWords(base, byteCount: bytes) == expected, "\(set)")
        #expect(kernels.sumWords(base, byteCount: bytes - Kernels.readUnit) != expected, "\(set)")
        #expect(kernels.sumWords(base, byteCount: 0) == 0, "\(set)")
      }
    }
  }
}
