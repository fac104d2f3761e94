import Foundation
import GGUF
import Tensors
import Testing

@Suite struct GGUFWriterTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("what is written is read back", arguments: [2, 3] as [UInt32], [1, 32, 4096])
  func roundTrip(version: UInt32, alignment: Int) throws {
    var writer = GGUFWriter(version: version, alignment: alignment)
    let values: [(String, GGUFValue)] = [
      ("a", .uint(7)), ("b", .uint(1 << 40)), ("c", .int(-7)), ("d", .int(-1 << 40)), ("e", .float(0.5)),
      ("f", .float(0.1)), ("g", .bool(true)), ("h", .string("fjörd")), ("i", .array(.strings(["x", ""]))),
      ("j", .array(.floats([1, 0.1]))), ("k", .array(.doubles([0.1]))), ("l", .array(.ints([-1, 1 << 40]))),
      ("m", .array(.uints([1, 2]))), ("n", .array(.bools([true, false]))),
    ]
    for (key, value) in values { try writer.set(key, value) }
    let tensors: [(String, QuantType, [Int], Int)] = [
      ("t.f32", .f32, [3, 5], 60), ("t.q4", .q4_K, [256, 2], 288), ("t.one", .i8, [1, 1, 1, 1], 1),
    ]
    for (name, type, dimensions, count) in tensors {
      try writer.add(name, type, dimensions: dimensions, bytes: pattern(count, seed: count))
    }
    try writer.write(to: folder.path("w.gguf"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("w.gguf.partial")))
    let file = try GGUFFile.open(folder.path("w.gguf"))
    #expect(file.headers[0].bytes[4] == UInt8(version))
    for (key, value) in values { #expect(file.metadata[key] == value) }
    #expect(file.tensors.count == tensors.count)
    let reader = try GGUFDataReader(paths: file.paths)
    for (name, type, dimensions, count) in tensors {
      let tensor = try #require(file.tensor(name))
      #expect(tensor.type == type && tensor.dimensions == dimensions && tensor.offset % alignment == 0)
      #expect(try reader.bytes(tensor.byteRange) == pattern(count, seed: count))
    }
  }

  @Test("a fixture written anew has the same metadata and tensors")
  func fixture() throws {
    let original = try GGUFFile.open(Fixtures.path("qwen3moe-s/qwen3moe-s-Q4_0.gguf"))
    let reader = try GGUFDataReader(paths: original.paths)
    var writer = GGUFWriter()
    for key in original.metadata.keys { try writer.set(key, try #require(original.metadata[key])) }
    for tensor in original.tensors {
      try writer.add(
        tensor.name, tensor.type, dimensions: tensor.dimensions, bytes: try reader.bytes(tensor.byteRange))
    }
    // The types that are chosen for numbers are those that real files use, so even the bytes are the same.
    #expect(try writer.bytes() == Fixtures.bytes("qwen3moe-s/qwen3moe-s-Q4_0.gguf"))
  }

  @Test("a key that is set again is replaced")
  func replaced() throws {
    var writer = GGUFWriter()
    try writer.set("a", .uint(1))
    try writer.set("b", .uint(2))
    try writer.set("a", .string("new"))
    let metadata = try parse(writer.bytes()).metadata
    #expect(metadata.keys == ["a", "b"])
    #expect(metadata["a"] == .string("new"))
  }

  @Test("what could not be read back is not written")
  func refused() throws {
    var writer = GGUFWriter()
    try writer.add("t", .f32, dimensions: [1], bytes: pattern(4))
    let tensors: [(String, QuantType, [Int], Int, GGUFError.Code)] = [
      ("t", .f32, [1], 4, .duplicateName), ("", .f32, [1], 4, .badTensor), ("u", .f32, [], 0, .badTensor),
      (String(repeating: "n", count: 65), .f32, [1], 4, .badTensor), ("u", .f32, [1, 1, 1, 1, 1], 4, .badTensor),
      ("u", .f32, [0], 0, .badTensor), ("u", .f32, [2], 4, .badTensor), ("u", .q4_K, [32], 18, .badTensor),
      ("u", .f32, [.max, .max], 4, .badTensor),
    ]
    for (name, type, dimensions, count, code) in tensors {
      let error = failure { () throws(GGUFError) in
        try writer.add(name, type, dimensions: dimensions, bytes: pattern(count))
      }
      #expect(error?.code == code)
    }
    let values: [(String, GGUFValue, GGUFValueType?, GGUFError.Code)] = [
      ("", .bool(true), nil, .badValue), ("general.alignment", .uint(8), nil, .badValue),
      (String(repeating: "k", count: 65_536), .bool(true), nil, .badValue), ("k", .uint(256), .uint8, .badValue),
      ("k", .int(-1), .uint64, .badValue), ("k", .string("1"), .uint32, .wrongType),
      ("k", .uint(1), .string, .wrongType), ("k", .array(.ints([1, 300])), .int8, .badValue),
      ("k", .float(1), .int32, .wrongType), ("k", .uint(1), .array, .wrongType),
    ]
    for (key, value, type, code) in values {
      #expect(failure { () throws(GGUFError) in try writer.set(key, value, as: type) }?.code == code)
    }
    let file = try parse(Array(writer.bytes().dropLast(32)), fileByteCount: writer.bytes().count)
    #expect(file.tensors.map(\.name) == ["t"] && file.metadata.keys.isEmpty)
  }

  @Test("a folder that is not there cannot be written to")
  func unwritable() throws {
    let path = folder.path("none/w.gguf")
    let error = failure { () throws(GGUFError) in try GGUFWriter().write(to: path) }
    #expect(error?.code == .io)
    #expect(error?.description.contains(path) == true)
  }
}
