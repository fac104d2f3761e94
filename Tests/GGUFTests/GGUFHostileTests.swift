import Foundation
import GGUF
import Tensors
import Testing

/// Damaged and malicious headers: each gives a typed error or a model that keeps its promises, and never traps.
@Suite struct GGUFHostileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// What must hold of everything that parses.
  private func isSound(_ file: GGUFFile) -> Bool {
    var end = file.headers[0].bytes.count
    for tensor in file.tensors.sorted(by: { $0.offset < $1.offset }) {
      let bytes = tensor.elementCount / tensor.type.blockElements * tensor.type.blockBytes
      guard (1...4).contains(tensor.dimensions.count), tensor.offset >= end, tensor.byteCount == bytes,
        file.tensor(tensor.name) == tensor
      else { return false }
      end = tensor.offset + tensor.byteCount
    }
    return end <= file.byteCount && file.metadata.keys.allSatisfy { file.metadata[$0] != nil }
  }

  @Test("the sample header parses as it was written")
  func sample() throws {
    let raw = RawHeader.sample()
    let file = try parse(raw.bytes, fileByteCount: raw.bytes.count + RawHeader.dataBytes)
    #expect(isSound(file))
    #expect(file.metadata["a"] == .uint(200))
    #expect(file.metadata["b"] == .int(-7))
    #expect(file.metadata["c"] == .uint(60_000))
    #expect(file.metadata["d"] == .int(-300))
    #expect(file.metadata["e"] == .int(-70_000))
    #expect(file.metadata["f"] == .float(1.5))
    #expect(file.metadata["g"] == .bool(true))
    #expect(file.metadata["h"] == .string("fjörd"))
    #expect(file.metadata["i"] == .uint(.max))
    #expect(file.metadata["j"] == .int(.min))
    #expect(file.metadata["k"] == .float(0.1))
    #expect(file.metadata["l"] == .array(.strings(["one", ""])))
    #expect(file.metadata["m"] == .array(.floats([2, -3])))
    #expect(file.metadata["n"] == .array(.ints([-1])))
    #expect(file.metadata["o"] == .array(.bools([false, true, false])))
    #expect(file.tensors.map(\.byteCount) == [12, 68, 16])
  }

  @Test("a header cut at any byte is refused, in memory and on disk")
  func truncation() throws {
    let raw = RawHeader.sample()
    let whole = raw.bytes + pattern(RawHeader.dataBytes)
    let path = try folder.write(whole, to: "cut.gguf")
    #expect(try isSound(GGUFFile.open(path)))
    for count in (0..<raw.bytes.count).reversed() {
      let inMemory = refusal(Array(raw.bytes[..<count]), fileByteCount: whole.count)
      #expect(inMemory?.code == .truncated)
      try folder.cut(path, to: count)
      let onDisk = failure { () throws(GGUFError) in try GGUFFile.open(path) }
      #expect(onDisk?.code == .truncated)
      #expect(onDisk?.file == path)
    }
  }

  @Test("a real header cut at any byte is refused")
  func fixtureTruncation() throws {
    let file = try GGUFFile.open(Fixtures.path("qwen3moe-s/qwen3moe-s-Q8_0.gguf"))
    let bytes = file.headers[0].bytes
    var others = 0
    for count in 0..<bytes.count {
      do throws(GGUFError) {
        _ = try parse(Array(bytes[..<count]), fileByteCount: file.byteCount)
        others += 1
      } catch  where error.code != .truncated { others += 1 } catch {}
    }
    #expect(others == 0)
  }

  @Test("a file cut inside its tensor data is refused")
  func dataTruncation() throws {
    let raw = RawHeader.sample()
    for missing in 1...RawHeader.dataBytes {
      let error = refusal(raw.bytes, fileByteCount: raw.bytes.count + RawHeader.dataBytes - missing)
      #expect(error?.code == .badTensor)
    }
  }

  @Test("absurd lengths, counts, sizes and offsets are refused before anything is allocated")
  func absurdNumbers() {
    let raw = RawHeader.sample()
    let size = raw.bytes.count + RawHeader.dataBytes
    #expect(raw.wide.count == 38 && raw.narrow.count == 27)
    let absurd: [UInt64] = [1 << 62, 1 << 63, .max, (1 << 63) - 1, .max - 31, 1 << 32, 1 << 40]
    for offset in raw.wide {
      for value in absurd {
        var bytes = raw.bytes
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + 8, with: $0) }
        #expect(refusal(bytes, fileByteCount: size) != nil, "\(value) at byte \(offset)")
      }
    }
    for offset in raw.narrow {
      for value: UInt32 in [1 << 30, 1 << 31, .max, 13] {
        var bytes = raw.bytes
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + 4, with: $0) }
        if let file = try? parse(bytes, fileByteCount: size) { #expect(isSound(file)) }
      }
    }
  }

  @Test("every other value of every byte parses to something sound or is refused")
  func singleBytes() {
    let raw = RawHeader.sample()
    let size = raw.bytes.count + RawHeader.dataBytes
    var refused = 0
    var unsound = 0
    for index in raw.bytes.indices {
      var bytes = raw.bytes
      for change in UInt8(1)...255 {
        bytes[index] = raw.bytes[index] ^ change
        do { unsound += isSound(try parse(bytes, fileByteCount: size)) ? 0 : 1 } catch { refused += 1 }
      }
    }
    #expect(unsound == 0)
    #expect(refused > 10_000)
  }

  @Test("many damaged bytes at once, seeded", arguments: [1, 2, 3] as [UInt64])
  func manyBytes(seed: UInt64) {
    let raw = RawHeader.sample()
    var state = seed
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
    var unsound = 0
    for _ in 0..<20_000 {
      var bytes = raw.bytes
      for _ in 0...next(4) { bytes[24 + next(bytes.count - 24)] = UInt8(next(256)) }
      if next(2) == 0 { bytes.removeSubrange(next(bytes.count)..<bytes.count) }
      let file = try? parse(bytes, fileByteCount: bytes.count + next(400))
      if let file, !isSound(file) { unsound += 1 }
    }
    #expect(unsound == 0)
  }
}
