import Foundation
import GGUF
import Tensors
import Testing

@Suite struct GGUFHeaderParserTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("versions 2 and 3 are read, others are refused with their number")
  func versions() throws {
    for version: UInt32 in [2, 3] {
      #expect(try parse(RawHeader(version: version, tensors: 0, keys: 0).bytes).tensors.isEmpty)
    }
    for version: UInt32 in [0, 1, 4, 99] {
      let error = refusal(RawHeader(version: version, tensors: 0, keys: 0).bytes)
      #expect(error?.code == .unsupportedVersion)
      #expect(error?.offset == 4)
      #expect(error?.message.contains("version \(version)") == true)
    }
  }

  @Test("big-endian files and other files are told apart")
  func magic() {
    for raw in [
      RawHeader(magic: "FUGG", tensors: 0, keys: 0), RawHeader(version: UInt32(3).byteSwapped, tensors: 0, keys: 0),
    ] {
      let error = refusal(raw.bytes)
      #expect(error?.code == .unsupportedVersion)
      #expect(error?.message.contains("big-endian") == true)
    }
    #expect(refusal(RawHeader(magic: "ggml", tensors: 0, keys: 0).bytes)?.code == .notGGUF)
    #expect(refusal(Array("not a model at all, but text".utf8))?.code == .notGGUF)
  }

  @Test("empty files, folders, devices and missing files are named by their path")
  func noFiles() throws {
    let empty = try folder.write([], to: "empty.gguf")
    let short = try folder.write(Array("GG".utf8), to: "short.gguf")
    #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
    let cases: [(String, GGUFError.Code, String)] = [
      (empty, .truncated, "0 are left"), (short, .truncated, "0 are left"), (folder.path(""), .io, "a directory"),
      (folder.path("none.gguf"), .io, "No such file"), ("/dev/zero", .io, "no regular file"),
      (folder.path("pipe"), .io, "no regular file"), ("", .io, "No such file"),
    ]
    for (path, code, words) in cases {
      let error = failure { () throws(GGUFError) in try GGUFFile.open(path) }
      #expect(error?.code == code)
      #expect(error?.file == (path.isEmpty ? nil : path))
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
  }

  @Test("alignments other than powers of two up to 64 KiB are refused")
  func alignment() throws {
    func header(_ alignment: UInt64) -> RawHeader {
      var raw = RawHeader(tensors: 1, keys: 1)
      raw.key("general.alignment", .uint64)
      raw.number(alignment)
      raw.tensor("t", [1], offset: 0)
      return raw
    }
    for alignment: UInt64 in [0, 3, 33, 1 << 17, 1 << 40, 1 << 63, .max] {
      let error = refusal(header(alignment).bytes)
      #expect(error?.code == .badValue)
      #expect(error?.message.contains("general.alignment") == true)
    }
    for alignment in [1, 8, 64, 1 << 16] {
      var raw = header(UInt64(alignment))
      raw.finish(alignment: alignment)
      let file = try parse(raw.bytes, fileByteCount: raw.bytes.count + 4)
      #expect(file.tensors[0].offset == raw.bytes.count)
    }
  }

  @Test("keys and tensor names must be there, be unique and be of allowed length")
  func names() {
    func keys(_ names: [String]) -> [UInt8] {
      var raw = RawHeader(tensors: 0, keys: UInt64(names.count))
      for name in names {
        raw.key(name, .bool)
        raw.number(UInt8(0))
      }
      raw.finish()
      return raw.bytes
    }
    func tensors(_ names: [String]) -> [UInt8] {
      var raw = RawHeader(tensors: UInt64(names.count), keys: 0)
      for (index, name) in names.enumerated() { raw.tensor(name, [1], offset: UInt64(index * 32)) }
      raw.finish()
      return raw.bytes
    }
    #expect(refusal(keys(["a", "b", "a"]))?.code == .duplicateName)
    #expect(refusal(keys(["a", "b", "a"]))?.message.contains("\"a\"") == true)
    #expect(refusal(keys([""]))?.code == .badValue)
    #expect(refusal(keys([String(repeating: "k", count: 65_536)]))?.code == .limitExceeded)
    #expect(refusal(tensors(["a", "b", "b"]), fileByteCount: 4096)?.code == .duplicateName)
    #expect(refusal(tensors([""]), fileByteCount: 4096)?.code == .badTensor)
    #expect(refusal(tensors([String(repeating: "t", count: 65)]), fileByteCount: 4096)?.code == .limitExceeded)
    #expect(throws: Never.self) {
      try parse(tensors([String(repeating: "t", count: 64)]), fileByteCount: 4096)
    }
  }

  @Test("what is wrong with a value is said with its key")
  func values() {
    func header(_ body: (inout RawHeader) -> Void) -> GGUFError? {
      var raw = RawHeader(tensors: 0, keys: 1)
      body(&raw)
      raw.finish(data: 64)
      let error = refusal(raw.bytes)
      #expect(error?.message.contains("some.key") == true)
      return error
    }
    let boolean = header { raw in
      raw.key("some.key", .bool)
      raw.number(UInt8(2))
    }
    #expect(boolean?.code == .badValue && boolean?.offset == 44)
    let boolArray = header { raw in
      raw.arrayKey("some.key", .bool, count: 3)
      raw.bytes += [1, 0, 255]
    }
    #expect(boolArray?.code == .badValue && boolArray?.offset == 58)
    let nested = header { $0.arrayKey("some.key", .array, count: 1) }
    #expect(nested?.code == .badValue && nested?.message.contains("array of arrays") == true)
    let unknown = header { raw in
      raw.string("some.key")
      raw.number(UInt32(13))
    }
    #expect(unknown?.code == .badValue && unknown?.message.contains("13") == true)
    let invalid = header { raw in
      raw.key("some.key", .string)
      raw.string([0x61, 0xff, 0x62])
    }
    #expect(invalid?.code == .badValue && invalid?.message.contains("UTF-8") == true)
    let invalidElement = header { raw in
      raw.arrayKey("some.key", .string, count: 2)
      raw.string("fine")
      raw.string([0xc3])
    }
    #expect(invalidElement?.message.contains("element 1") == true)
  }

  @Test("limits are held before bytes are looked at")
  func limits() {
    var raw = RawHeader(tensors: 0, keys: 2)
    raw.key("text", .string)
    raw.string("0123456789")
    raw.arrayKey("numbers", .uint8, count: 10)
    raw.bytes += [UInt8](repeating: 1, count: 10)
    let bytes = raw.bytes
    let tightened: [(WritableKeyPath<GGUFLimits, Int>, Int)] = [
      (\.keys, 1), (\.keyBytes, 6), (\.stringBytes, 9), (\.arrayElements, 9), (\.headerBytes, bytes.count - 1),
    ]
    for (limit, value) in tightened {
      var limits = GGUFLimits()
      limits[keyPath: limit] = value + 1
      #expect(throws: Never.self) { try parse(bytes, limits: limits) }
      limits[keyPath: limit] = value
      #expect(refusal(bytes, limits: limits)?.code == .limitExceeded)
    }
  }

  @Test("names from a file are quoted and cut in messages")
  func quotedNames() {
    var raw = RawHeader(tensors: 0, keys: 1)
    raw.key("evil\u{1b}[2J\n" + String(repeating: "x", count: 10_000), .bool)
    raw.number(UInt8(7))
    let message = refusal(raw.bytes)?.description ?? ""
    #expect(message.contains("evil"))
    #expect(message.utf8.count < 300)
    #expect(!message.unicodeScalars.contains { $0.value < 32 })
  }
}
