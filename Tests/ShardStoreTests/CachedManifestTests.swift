import GGUF
import Tensors
import Testing

@testable import ShardStore

@Suite struct CachedManifestTests {
  private func example() throws -> CachedManifest {
    let identity = FileIdentity(byteCount: 77, inode: .max, modified: -5)
    let files = ["/models/a b.gguf", "/models/ü.gguf"].map { CachedManifest.SourceFile(path: $0, identity: identity) }
    return CachedManifest(files: files, manifest: try Model(Fixtures.small).manifest)
  }

  @Test("a manifest comes back as it was written")
  func roundTrip() throws {
    let example = try example()
    let bytes = example.encoded()
    #expect(CachedManifest.decoded(bytes) == example)
    #expect(bytes.prefix(8) == [0x53, 0x48, 0x4D, 0x46, 1, 0, 0, 0])
  }

  @Test("a manifest cut off at any byte is no manifest")
  func truncated() throws {
    let bytes = try example().encoded()
    for count in 0..<bytes.count { #expect(CachedManifest.decoded(Array(bytes.prefix(count))) == nil) }
  }

  @Test("a manifest with any byte changed is no manifest")
  func changed() throws {
    var bytes = try example().encoded()
    for index in bytes.indices {
      bytes[index] ^= 1
      #expect(CachedManifest.decoded(bytes) == nil)
      bytes[index] ^= 1
    }
  }

  @Test("counts and lengths that lie are refused even under a right checksum")
  func hostile() throws {
    let bytes = Array(try example().encoded().dropLast(Digest.byteCount))
    func decoded(_ bytes: [UInt8]) -> CachedManifest? {
      CachedManifest.decoded(bytes + PieceHasher.digest(of: bytes).bytes)
    }
    #expect(decoded(bytes) != nil)
    for count in 0..<bytes.count { #expect(decoded(Array(bytes.prefix(count))) == nil) }
    #expect(decoded(bytes + [0]) == nil)
    // Version, number of files, length of the first path.
    for field in [4, 8, 12] {
      var lying = bytes
      for index in field..<field + 4 { lying[index] = 0xFF }
      #expect(decoded(lying) == nil)
    }
    // Size of the first file: more than an Int holds.
    var lying = bytes
    lying[16 + "/models/a b.gguf".utf8.count + 7] = 0x80
    #expect(decoded(lying) == nil)
    // Kind of the last entry.
    lying = bytes
    lying[bytes.count - CachedManifest.entryBytes] = 9
    #expect(decoded(lying) == nil)
  }
}
