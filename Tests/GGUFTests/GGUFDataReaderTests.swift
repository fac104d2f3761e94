import Foundation
import GGUF
import Tensors
import Testing

@Suite struct GGUFDataReaderTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func model() throws -> (String, [UInt8]) {
    var writer = GGUFWriter()
    try writer.add("a", .f32, dimensions: [16], bytes: pattern(64))
    try writer.add("b", .q8_0, dimensions: [32, 3], bytes: pattern(102, seed: 9))
    try writer.write(to: folder.path("m.gguf"))
    return (folder.path("m.gguf"), writer.bytes())
  }

  @Test("ranges are read from where they are")
  func reads() throws {
    let (path, bytes) = try model()
    let file = try GGUFFile.open(path)
    let reader = try GGUFDataReader(paths: file.paths)
    for tensor in file.tensors {
      let expected = bytes[tensor.offset..<tensor.offset + tensor.byteCount]
      #expect(try reader.bytes(tensor.byteRange) == Array(expected))
      let buffer = AlignedBuffer(byteCount: tensor.byteCount)
      try reader.read(
        tensor.byteRange, into: UnsafeMutableRawBufferPointer(start: buffer.base, count: tensor.byteCount))
      #expect(UnsafeRawBufferPointer(start: buffer.base, count: tensor.byteCount).elementsEqual(expected))
    }
    #expect(try reader.bytes(ByteRange(file: 0, offset: 0, byteCount: bytes.count)) == bytes)
    #expect(try reader.bytes(ByteRange(file: 0, offset: bytes.count, byteCount: 0)).isEmpty)
  }

  @Test("a file that was cut while in use is an error, not a signal")
  func shortened() throws {
    let (path, bytes) = try model()
    let file = try GGUFFile.open(path)
    let reader = try GGUFDataReader(paths: file.paths)
    #expect(try reader.isUnchanged())
    let last = try #require(file.tensor("b"))
    try folder.cut(path, to: last.offset + 10)
    let error = failure { () throws(GGUFError) in try reader.bytes(last.byteRange) }
    #expect(error?.code == .io)
    #expect(error?.message.contains("shorter than it was") == true)
    #expect(error?.file == path && error?.offset == last.offset + 10)
    #expect(try !reader.isUnchanged())
    let first = try #require(file.tensor("a"))
    #expect(try reader.bytes(first.byteRange) == Array(bytes[first.offset..<first.offset + 64]))
  }

  @Test("ranges that do not exist are refused")
  func badRanges() throws {
    let (path, bytes) = try model()
    let reader = try GGUFDataReader(paths: [path])
    for (file, offset, count) in [
      (1, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, -1), (0, .max, 1), (0, 1, .max), (0, 0, bytes.count + 1),
      (.max, .max, .max), (.min, .min, .min),
    ] {
      let range = ByteRange(file: file, offset: offset, byteCount: count)
      #expect(failure { () throws(GGUFError) in try reader.bytes(range) }?.code == .badValue)
      let nothing = ByteRange(file: file, offset: offset, byteCount: 0)
      guard file != 0 || offset < 0 else { continue }
      let error = failure { () throws(GGUFError) in
        try reader.read(nothing, into: UnsafeMutableRawBufferPointer(start: nil, count: 0))
      }
      #expect(error?.code == .badValue)
    }
    let missing = failure { () throws(GGUFError) in try GGUFDataReader(paths: [path, path + ".none"]) }
    #expect(missing?.code == .io && missing?.file == path + ".none")
  }

  @Test("files that must match known headers are held against them")
  func matching() throws {
    let (path, bytes) = try model()
    let headers = try GGUFFile.open(path).headers
    #expect(try GGUFDataReader(paths: [path], matching: headers).paths == [path])
    let longer = try folder.write(bytes + [0], to: "longer.gguf")
    var changed = bytes
    changed[30] ^= 1
    let other = try folder.write(changed, to: "other.gguf")
    for wrong in [longer, other] {
      let error = failure { () throws(GGUFError) in try GGUFDataReader(paths: [wrong], matching: headers) }
      #expect(error?.code == .io && error?.file == wrong)
    }
    let none = failure { () throws(GGUFError) in try GGUFDataReader(paths: [], matching: headers) }
    #expect(none?.code == .splitMismatch)
  }

  @Test("a file's identity changes with its content, not with its name")
  func identity() throws {
    let (path, bytes) = try model()
    let identity = try FileIdentity(path: path)
    #expect(identity.byteCount == bytes.count)
    #expect(try GGUFDataReader(paths: [path]).identities == [identity])
    try FileManager.default.moveItem(atPath: path, toPath: folder.path("moved.gguf"))
    #expect(try FileIdentity(path: folder.path("moved.gguf")) == identity)
    #expect(failure { () throws(GGUFError) in try FileIdentity(path: path) }?.code == .io)
    #expect(try FileIdentity(path: folder.write(bytes, to: "m.gguf")) != identity)
  }
}
