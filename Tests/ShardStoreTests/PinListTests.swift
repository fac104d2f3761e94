import Tensors
import Testing

@testable import ShardStore

@Suite struct PinListTests {
  private let digests = Set((0..<3).map { PieceHasher.digest(of: [$0]) })

  @Test("a list comes back as it was written; each version has its own stamp")
  func roundTrip() {
    let list = PinList(digests)
    #expect(PinList.decoded(list.encoded()) == list)
    #expect(PinList.stamp(ofHeader: Array(list.encoded().prefix(PinList.headerBytes))) == list.stamp)
    #expect(PinList([]).stamp != PinList([]).stamp)
  }

  @Test("cut off anywhere, a list has the digests that are whole, or is none")
  func truncated() {
    let bytes = PinList(digests).encoded()
    for count in 0..<bytes.count {
      let list = PinList.decoded(Array(bytes.prefix(count)))
      guard count >= PinList.headerBytes else {
        #expect(list == nil)
        continue
      }
      #expect(list?.digests.count == (count - PinList.headerBytes) / Digest.byteCount)
      #expect(list?.digests.isSubset(of: digests) == true)
    }
  }

  @Test("with a flipped byte in magic or version it is none; elsewhere no digest is made up but by the flip")
  func flipped() {
    let bytes = PinList(digests).encoded()
    for index in bytes.indices {
      var bad = bytes
      bad[index] ^= 0x41
      let list = PinList.decoded(bad)
      if index < 8 {
        #expect(list == nil)
      } else {
        #expect((list?.digests.intersection(digests).count ?? 0) >= digests.count - 1)
      }
    }
  }

  @Test("names tell the process, and nothing else counts as one")
  func names() {
    let name = PinList.fileName(processID: 4711)
    #expect(PinList.processID(ofFileName: name) == 4711)
    #expect(PinList.fileName(processID: 4711) != name)
    for bad in ["", "-", "1-", "-1-2", "x-1", "1-x", "1-2-3", "99999999999-1", ".tmp-1", "1"] {
      #expect(PinList.processID(ofFileName: bad) == nil, "\(bad)")
    }
  }
}
