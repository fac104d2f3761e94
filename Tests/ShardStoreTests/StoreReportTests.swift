import Foundation
import GGUF
import ModelSpec
import Tensors
import Testing

@testable import ShardStore

@Suite struct StoreReportTests {
  private let folder: TemporaryFolder
  private let store: ShardStore
  private let model: Model

  init() throws {
    folder = try TemporaryFolder()
    store = try ShardStore(directory: folder.path)
    model = try Model(Fixtures.small)
  }

  private func keepManifest(_ model: Model) throws {
    _ = try store.manifest(for: model.spec, reader: model.reader.reader)
  }

  @Test("pieces are named by the manifest of their model, if it is there")
  func names() throws {
    try store.insert(.expert(0, 3), of: model)
    try store.insert(.header, of: model)
    let unknown = store.report()
    #expect(unknown.models.isEmpty && unknown.pieces.count == 2)
    #expect(unknown.pieces.allSatisfy { $0.model == nil && $0.id == nil && $0.users.isEmpty })
    try keepManifest(model)
    let report = store.report()
    #expect(report.pieces.map(\.stored) == store.list())
    #expect(Set(report.pieces.map(\.id)) == [.expert(0, 3), .header])
    #expect(report.pieces.allSatisfy { $0.model == 0 })
    #expect(report.models.map(\.modelID) == [model.manifest.modelID])
    #expect(report.models.map(\.path) == [Fixtures.small])
    #expect(report.models[0].pieceCount == model.manifest.entries.count + 1)
    #expect(report.models[0].byteCount == model.manifest.byteCount + model.manifest.header.byteCount)
  }

  @Test("a model under two paths is one; a damaged manifest is passed over")
  func models() throws {
    try keepManifest(model)
    try keepManifest(Model(folder.copy(Fixtures.small, as: "a.gguf")))
    try keepManifest(Model(Fixtures.mixed))
    try write([1, 2, 3], to: store.manifestFolder + "/" + String(repeating: "a", count: 64))
    let models = store.report().models
    #expect(models.count == 2 && models.map(\.path) == models.map(\.path).sorted())
    #expect(Set(models.map(\.modelID)).count == 2)
  }

  @Test("it says which processes have a piece in use")
  func users() throws {
    let entry = try model.entry(.embedding)
    try store.insert(.embedding, of: model)
    store.pin([entry.digest])
    #expect(store.report().pieces.map(\.users) == [[getpid()]])
    #expect(try ShardStore(directory: folder.path).report().pieces.map(\.users) == [[getpid()]])
    let elsewhere = PinList([entry.digest]).encoded()
    var held: Descriptor?
    try elsewhere.withUnsafeBytes { held = try Files.publish($0, as: "1-1", in: store.pinFolder, isDurable: false) }
    #expect(store.report().pieces.map(\.users) == [[1, getpid()]])
    _ = try required(held).number
    store.unpin([entry.digest])
    #expect(store.report().pieces.map(\.users) == [[]])
  }
}
