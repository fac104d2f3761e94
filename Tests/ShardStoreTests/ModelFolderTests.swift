import Foundation
import GGUF
import ModelSpec
import Tensors
import Testing

@testable import ShardStore

@Suite struct ModelFolderTests {
  private let folder: TemporaryFolder
  private let log = Log()

  init() throws { folder = try TemporaryFolder() }

  @Test("a model is found by its headers, also split and in a subfolder", arguments: Fixtures.all)
  func found(path: String) throws {
    try FileManager.default.createDirectory(atPath: folder.file("a/b"), withIntermediateDirectories: true)
    _ = try folder.copy(Fixtures.small, as: "one.gguf")
    _ = try folder.copy(Fixtures.half, as: "a/two.gguf")
    _ = try folder.copy(Fixtures.mixed, as: "three.gguf")
    _ = try folder.copy(Fixtures.demo, as: "four.gguf")
    for name in try FileManager.default.contentsOfDirectory(atPath: Fixtures.splitFolder) {
      _ = try folder.copy(Fixtures.splitFolder + "/" + name, as: "a/b/" + name)
    }
    let model = try Model(path)
    let source = ModelFolderSource(
      directory: folder.path, headerDigest: model.manifest.header.digest, warning: log.add)
    let loader = PieceLoader(sources: [source], store: nil, warning: log.add)
    for piece in model.spec.pieces {
      #expect(try loader.memory(piece, of: model) == (model.spread(piece), .modelFile))
    }
    #expect(try loader.loadPacked(model.manifest.header) == (model.packed(.header), .modelFile))
    #expect(source.name.contains(folder.path) && source.origin == .modelFile)
    #expect(log.all.isEmpty)
  }

  @Test("a file may be named instead of its folder; the others there are not looked at")
  func oneFile() throws {
    let path = try folder.copy(Fixtures.small, as: "one.gguf")
    _ = try folder.copy(Fixtures.half, as: "two.gguf")
    let models = ModelFolder(directory: path, warning: log.add)
    #expect(models.model(headerDigest: try Model(Fixtures.small).manifest.header.digest) != nil)
    #expect(models.model(headerDigest: try Model(Fixtures.half).manifest.header.digest) == nil)
    let missing = ModelFolder(directory: folder.file("none.gguf"), warning: log.add)
    #expect(missing.model(headerDigest: try Model(Fixtures.small).manifest.header.digest) == nil)
    #expect(log.all.count == 1)
  }

  @Test("bad files are warned of once and never in the way")
  func badFiles() throws {
    let models = ModelFolder(directory: folder.path, warning: log.add)
    let model = try Model(Fixtures.small)
    let digest = model.manifest.header.digest
    #expect(models.model(headerDigest: digest) == nil)
    try write([1, 2, 3], to: folder.file("a-not-gguf.gguf"))
    try write(Array(read(Fixtures.mixed).prefix(1000)), to: folder.file("b-cut-off.gguf"))
    _ = try folder.copy(Fixtures.split, as: "c-00001-of-00002.gguf")
    _ = try folder.copy(Fixtures.mixed, as: "ignored.bin")
    symlink(folder.path, folder.file("loop"))
    symlink(folder.file("missing"), folder.file("dangling.gguf"))
    _ = try folder.copy(Fixtures.small, as: "z.gguf")
    for _ in 0..<3 { #expect(models.model(headerDigest: digest)?.headerDigest == digest) }
    let top = log.all.filter { !$0.contains("/loop/") }
    #expect(top.count == 4)
    for name in ["a-not-gguf", "b-cut-off", "c-00001-of-00002", "dangling"] {
      #expect(top.filter { $0.contains(name) }.count == 1)
    }
  }

  @Test("a model whose download was completed meanwhile is found")
  func completedLater() throws {
    let models = ModelFolder(directory: folder.path, warning: log.add)
    let digest = try Model(Fixtures.split).manifest.header.digest
    _ = try folder.copy(Fixtures.split, as: "m-00001-of-00002.gguf")
    #expect(models.model(headerDigest: digest) == nil)
    _ = try folder.copy(
      Fixtures.split.replacingOccurrences(of: "00001-of", with: "00002-of"), as: "m-00002-of-00002.gguf")
    #expect(models.model(headerDigest: digest) != nil)
  }

  @Test("a file that was replaced is looked at again")
  func replaced() throws {
    let models = ModelFolder(directory: folder.path, warning: log.add)
    let small = try Model(Fixtures.small).manifest.header.digest
    let mixed = try Model(Fixtures.mixed).manifest.header.digest
    _ = try folder.copy(Fixtures.small, as: "m.gguf")
    #expect(models.model(headerDigest: small) != nil && models.model(headerDigest: mixed) == nil)
    _ = try folder.copy(Fixtures.mixed, as: "m.gguf")
    #expect(models.model(headerDigest: small) == nil && models.model(headerDigest: mixed) != nil)
  }

  @Test("a source answers only for the model it was made for")
  func otherModel() throws {
    let model = try Model(Fixtures.small)
    let other = try Model(Fixtures.half)
    let file = ModelFileSource(model.reader)
    for piece in [PieceID.header, .embedding, .expert(0, 0)] {
      let entry = try other.entry(piece)
      var buffer = [UInt8](repeating: 0, count: entry.byteCount)
      #expect(try buffer.withUnsafeMutableBytes { try !file.read(entry, into: $0) })
    }
  }
}
