import GGUF
import Tensors
import Testing

@Suite struct GGUFTensorTests {
  /// Why a directory of these tensors over 4096 bytes of data is refused.
  private func problem(
    _ tensors: [(name: String, sizes: [UInt64], type: UInt32, offset: UInt64)],
    at location: SourceLocation = #_sourceLocation
  ) -> GGUFError? {
    var raw = RawHeader(tensors: UInt64(tensors.count), keys: 0)
    for tensor in tensors { raw.tensor(tensor.name, tensor.sizes, type: tensor.type, offset: tensor.offset) }
    raw.finish()
    let error = refusal(raw.bytes, fileByteCount: raw.bytes.count + 4096, at: location)
    #expect(error?.code == .badTensor, sourceLocation: location)
    #expect(error?.message.contains("some.weight") == true, sourceLocation: location)
    return error
  }

  @Test("an unknown quant type is refused with its number and the known ones")
  func unknownType() {
    for type: UInt32 in [99, 4, 31, 36, .max] {
      let error = problem([("some.weight", [32], type, 0)])
      #expect(error?.message.contains("unknown quant type \(type)") == true)
      #expect(error?.message.contains("Q4_K (12)") == true)
    }
  }

  @Test("dimensions must be one to four, at least 1, and must not overflow")
  func dimensions() {
    _ = problem([("some.weight", [], 0, 0)])
    _ = problem([("some.weight", [1, 1, 1, 1, 1], 0, 0)])
    _ = problem([("some.weight", [0], 0, 0)])
    _ = problem([("some.weight", [4, 0], 0, 0)])
    _ = problem([("some.weight", [1 << 32, 1 << 32], 0, 0)])
    _ = problem([("some.weight", [1 << 31, 1 << 31, 1 << 31, 1 << 31], 0, 0)])
    _ = problem([("some.weight", [1 << 62], 0, 0)])
    // More elements than an Int counts, although the bytes would fit: two bits an element.
    _ = problem([("some.weight", [1 << 32, 1 << 31], QuantType.tq2_0.rawValue, 0)])
  }

  @Test("rows must be whole blocks")
  func blocks() {
    let error = problem([("some.weight", [128, 2], QuantType.q4_K.rawValue, 0)])
    #expect(error?.message.contains("256") == true)
    _ = problem([("some.weight", [33], QuantType.q8_0.rawValue, 0)])
  }

  @Test("data must start at the alignment and end inside the file")
  func places() {
    _ = problem([("some.weight", [1], 0, 4)])
    _ = problem([("some.weight", [1], 0, 4096)])
    _ = problem([("some.weight", [1025], 0, 0)])
    _ = problem([("some.weight", [1024], 0, 32)])
    _ = problem([("some.weight", [1], 0, .max - 31)])
    _ = problem([("some.weight", [1], 0, (1 << 63) - 32)])
  }

  @Test("tensors must not share bytes, in whatever order they stand")
  func overlaps() throws {
    let error = problem([("some.weight", [16], 0, 0), ("other", [16], 0, 32)])
    #expect(error?.message.contains("overlap") == true && error?.message.contains("other") == true)
    _ = problem([("other", [16], 0, 32), ("some.weight", [16], 0, 0)])
    _ = problem([("other", [1], 0, 0), ("some.weight", [1], 0, 0)])
    _ = problem([("a", [16], 0, 0), ("b", [1], 0, 2048), ("some.weight", [1], 0, 2048)])
    var raw = RawHeader(tensors: 3, keys: 0)
    raw.tensor("late", [8], offset: 512)
    raw.tensor("early", [8], offset: 0)
    raw.tensor("after a gap", [8], offset: 128)
    raw.finish()
    let file = try parse(raw.bytes, fileByteCount: raw.bytes.count + 544)
    #expect(file.tensors.map(\.name) == ["late", "early", "after a gap"])
  }

  @Test("each type's size is that of its blocks", arguments: QuantType.allCases)
  func sizes(type: QuantType) throws {
    var raw = RawHeader(tensors: 1, keys: 0)
    raw.tensor("t", [512, 3, 2], type: type.rawValue, offset: 0)
    raw.finish()
    let bytes = 512 / type.blockElements * type.blockBytes * 6
    let file = try parse(raw.bytes, fileByteCount: raw.bytes.count + bytes)
    #expect(file.tensors[0].byteCount == bytes)
    #expect(file.tensors[0].type == type)
    #expect(refusal(raw.bytes, fileByteCount: raw.bytes.count + bytes - 1)?.code == .badTensor)
  }
}
