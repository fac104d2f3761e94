import Foundation
import GGUF
import Tensors
import Testing

@Suite struct GGUFSplitTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let stem = "qwen3moe-s/split/qwen3moe-s-Q8_0"
  private static let first = Fixtures.path(stem + "-00001-of-00002.gguf")
  private static let second = Fixtures.path(stem + "-00002-of-00002.gguf")

  private static func sample() throws -> GGUFWriter {
    var writer = GGUFWriter()
    try writer.set("general.architecture", .string("sample"))
    for index in 0..<5 {
      try writer.add("t\(index)", .f32, dimensions: [5, index + 1], bytes: pattern(20 * (index + 1), seed: index))
    }
    return writer
  }

  @Test("a split model is the unsplit one, whichever file is named")
  func sameModel() throws {
    let whole = try GGUFFile.open(Fixtures.path("qwen3moe-s/qwen3moe-s-Q8_0.gguf"))
    let wholeReader = try GGUFDataReader(paths: whole.paths)
    for path in [Self.first, Self.second] {
      let split = try GGUFFile.open(path)
      #expect(split.paths == [Self.first, Self.second])
      #expect(split.tensors.map(\.name) == whole.tensors.map(\.name))
      #expect(Set(split.tensors.map(\.file)) == [0, 1])
      let reader = try GGUFDataReader(paths: split.paths)
      for (left, right) in zip(split.tensors, whole.tensors) {
        #expect(left.type == right.type && left.dimensions == right.dimensions)
        #expect(try reader.bytes(left.byteRange) == wholeReader.bytes(right.byteRange))
      }
      for key in whole.metadata.keys { #expect(split.metadata[key] == whole.metadata[key]) }
    }
  }

  @Test("the headers of all files make the model again; fewer, more or in another order do not")
  func headers() throws {
    let file = try GGUFFile.open(Self.first)
    let headers = file.headers
    #expect(try GGUFFile(headers: headers).tensors == file.tensors)
    for wrong in [[headers[0]], [headers[1]], [headers[1], headers[0]], headers + headers, [headers[0], headers[0]]] {
      #expect(failure { () throws(GGUFError) in try GGUFFile(headers: wrong) }?.code == .splitMismatch)
    }
    let whole = try GGUFFile.open(Fixtures.path("qwen3moe-s/qwen3moe-s-Q8_0.gguf"))
    let mixed = failure { () throws(GGUFError) in try GGUFFile(headers: whole.headers + headers) }
    #expect(mixed?.code == .splitMismatch)
  }

  @Test("a missing file is named by its path", arguments: [0, 1, 2])
  func missing(index: Int) throws {
    let paths = try Self.sample().writeSplit(to: folder.path("m"), files: 3)
    try FileManager.default.removeItem(atPath: paths[index])
    let error = failure { () throws(GGUFError) in try GGUFFile.open(paths[(index + 1) % 3]) }
    #expect(error?.code == .io)
    #expect(error?.file == paths[index])
    #expect(error?.message.contains("file \(index + 1) of 3") == true)
  }

  @Test("the first file may hold no tensors", arguments: [2, 3, 6])
  func metadataFirst(files: Int) throws {
    let paths = try Self.sample().writeSplit(to: folder.path("m"), files: files, metadataFirst: true)
    let file = try GGUFFile.open(paths[files - 1])
    #expect(file.paths == paths)
    #expect(file.tensors.map(\.name) == ["t0", "t1", "t2", "t3", "t4"])
    #expect(!file.tensors.contains { $0.file == 0 })
    #expect(try file.metadata.string("general.architecture") == "sample")
    let reader = try GGUFDataReader(paths: paths)
    for (index, tensor) in file.tensors.enumerated() {
      #expect(try reader.bytes(tensor.byteRange) == pattern(20 * (index + 1), seed: index))
    }
  }

  @Test("a name that does not say which file it is is refused with the name it should have")
  func wrongName() throws {
    let paths = try Self.sample().writeSplit(to: folder.path("m"), files: 2)
    for name in ["m.gguf", "m-00002-of-00002.gguf", "m-1-of-2.gguf"] {
      try? FileManager.default.removeItem(atPath: folder.path(name))
      try FileManager.default.copyItem(atPath: paths[0], toPath: folder.path(name))
      let error = failure { () throws(GGUFError) in try GGUFFile.open(folder.path(name)) }
      #expect(error?.code == .splitMismatch)
      #expect(error?.message.contains("-00001-of-00002.gguf") == true)
    }
  }

  @Test("files of different models do not go together")
  func otherModel() throws {
    let paths = try Self.sample().writeSplit(to: folder.path("m"), files: 2)
    var other = GGUFWriter()
    for index in 3..<9 { try other.add("t\(index)", .f32, dimensions: [1], bytes: pattern(4)) }
    let others = try other.writeSplit(to: folder.path("o"), files: 2)
    try FileManager.default.removeItem(atPath: paths[1])
    try FileManager.default.copyItem(atPath: others[1], toPath: paths[1])
    #expect(failure { () throws(GGUFError) in try GGUFFile.open(paths[0]) }?.code == .splitMismatch)
  }

  @Test("a tensor that is in two files is refused")
  func duplicate() throws {
    func part(_ index: UInt64, tensors: Int64) throws -> GGUFHeader {
      var writer = GGUFWriter()
      try writer.set("split.no", .uint(index), as: .uint16)
      try writer.set("split.count", .uint(2), as: .uint16)
      try writer.set("split.tensors.count", .int(tensors))
      try writer.add("same", .f32, dimensions: [8], bytes: pattern(32))
      let bytes = writer.bytes()
      return GGUFHeader(path: "part\(index)", fileByteCount: bytes.count, bytes: bytes.dropLast(32))
    }
    let twice = try [part(0, tensors: 2), part(1, tensors: 2)]
    let error = failure { () throws(GGUFError) in try GGUFFile(headers: twice) }
    #expect(error?.code == .duplicateName)
    #expect(error?.file == "part1")
    let miscounted = try [part(0, tensors: 2), part(1, tensors: 3)]
    #expect(failure { () throws(GGUFError) in try GGUFFile(headers: miscounted) }?.code == .splitMismatch)
  }

  @Test("limits hold for all files together")
  func limits() throws {
    let file = try GGUFFile.open(Self.first)
    var limits = GGUFLimits()
    limits.tensors = 39
    limits.headerBytes = file.headers.reduce(0) { $0 + $1.bytes.count }
    limits.files = 2
    #expect(try GGUFFile.open(Self.second, limits: limits).tensors.count == 39)
    let tightened: [(WritableKeyPath<GGUFLimits, Int>, Int)] = [
      (\.tensors, 38), (\.headerBytes, limits.headerBytes - 1), (\.files, 1), (\.arrayElements, 100),
    ]
    for (limit, value) in tightened {
      var lower = limits
      lower[keyPath: limit] = value
      let fromFiles = failure { () throws(GGUFError) in try GGUFFile.open(Self.first, limits: lower) }
      #expect(fromFiles?.code == .limitExceeded)
      let fromHeaders = failure { () throws(GGUFError) in try GGUFFile(headers: file.headers, limits: lower) }
      #expect(fromHeaders?.code == .limitExceeded)
    }
  }

  @Test("a split.count of 1 is a model of its own, and one that makes no sense is refused")
  func splitCounts() throws {
    func header(_ keys: [String: GGUFValue]) throws -> [UInt8] {
      var writer = GGUFWriter()
      for (key, value) in keys { try writer.set(key, value) }
      return writer.bytes()
    }
    #expect(try parse(header(["split.count": .uint(1)])).tensors.isEmpty)
    #expect(try refusal(header(["split.count": .int(-1)]))?.code == .badValue)
    #expect(try refusal(header(["split.count": .uint(1 << 62)]))?.code == .badValue)
    #expect(try refusal(header(["split.count": .string("2")]))?.code == .wrongType)
    #expect(try refusal(header(["split.count": .uint(2)]))?.code == .missingKey)
    let outside = try header(["split.count": .uint(2), "split.no": .uint(2), "split.tensors.count": .uint(0)])
    #expect(refusal(outside)?.code == .badValue)
  }
}
