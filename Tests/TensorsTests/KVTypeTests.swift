import Tensors
import Testing

@Suite struct KVTypeTests {
  @Test("a head's bytes, blocks of q8_0 filled up")
  func bytes() {
    #expect(KVType.f16.byteCount(elements: 40) == 80 && KVType.f32.byteCount(elements: 40) == 160)
    #expect([0, 1, 32, 33, 64, 128].map { KVType.q8_0.byteCount(elements: $0) } == [0, 34, 34, 68, 68, 136])
  }

  @Test("names are those of the command line")
  func names() {
    #expect(KVType.allCases.map(\.name) == ["f16", "f32", "q8_0"])
    #expect(KVType.allCases.allSatisfy { KVType(name: $0.name) == $0 } && KVType(name: "q8") == nil)
    #expect(KVType.allCases.map(\.rawValue) == [0, 1, 2])
  }
}
