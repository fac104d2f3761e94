import Tensors
import Testing

@testable import ShardStore

@Suite struct PieceHasherTests {
  @Test("the digest is SHA-256 (FIPS 180-2, appendix B)")
  func vectors() {
    #expect(
      PieceHasher.digest(of: Array("abc".utf8)).hexadecimal
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      PieceHasher.digest(of: Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)).hexadecimal
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
  }

  @Test("bytes hashed bit by bit give the digest of all of them")
  func split() {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    for cut in [0, 1, 63, 64, 65, 999, 1000] {
      var hasher = PieceHasher()
      bytes[..<cut].withUnsafeBytes { hasher.update($0) }
      bytes[cut...].withUnsafeBytes { hasher.update($0) }
      #expect(hasher.finish() == PieceHasher.digest(of: bytes))
    }
  }
}
