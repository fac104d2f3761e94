import Foundation
import GGUF
import ModelSpec
import Tensors
import Testing

@testable import ShardStore

@Suite struct ModelPieceReaderTests {
  private func bytes(_ model: Model, _ piece: PieceID, _ range: Range<Int>) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    try bytes.withUnsafeMutableBytes { try model.reader.read(piece, offset: range.lowerBound, into: $0) }
    return bytes
  }

  @Test("ranges of odd sizes put together are the piece", arguments: [Fixtures.mixed, Fixtures.split])
  func oddRanges(path: String) throws {
    let model = try Model(path)
    for piece in model.spec.pieces + [.header] {
      let expected = try model.packed(piece)
      #expect(model.reader.byteCount(of: piece) == expected.count)
      for step in [4099, 65_537, 256 << 10] {
        var whole: [UInt8] = []
        while whole.count < expected.count {
          whole += try bytes(model, piece, whole.count..<min(expected.count, whole.count + step))
        }
        #expect(whole == expected)
      }
    }
  }

  @Test("ranges at the borders of parts")
  func borders() throws {
    let model = try Model(Fixtures.mixed)
    let expected = try model.packed(.trunk(0))
    let borders = try model.layout(.trunk(0)).parts.map(\.offset) + [expected.count]
    for border in borders {
      for range in [border - 1..<border, border..<border, border - 1..<border + 1, border..<border + 1] {
        let range = range.clamped(to: 0..<expected.count)
        #expect(try bytes(model, .trunk(0), range) == Array(expected[range]))
      }
    }
  }

  @Test("a range that a peer made up is refused", arguments: [PieceID.header, .expert(0, 0), .trunk(1)])
  func badRanges(piece: PieceID) throws {
    let model = try Model(Fixtures.small)
    let size = try #require(model.reader.byteCount(of: piece))
    for (offset, count) in [(-1, 1), (.min, 1), (.max, 1), (size, 1), (size - 1, 2), (size + 1, 0), (0, size + 1)] {
      var buffer = [UInt8](repeating: 0, count: count)
      let error = #expect(throws: ShardStoreError.self) {
        try buffer.withUnsafeMutableBytes { try model.reader.read(piece, offset: offset, into: $0) }
      }
      #expect(error?.code == .badRange)
    }
    #expect(try bytes(model, piece, size..<size) == [])
  }

  @Test(
    "a piece that a peer made up is refused",
    arguments: [PieceID.trunk(99), .trunk(-1), .expert(0, 8), .expert(0, -1), .expert(99, 0)])
  func unknownPieces(piece: PieceID) throws {
    let model = try Model(Fixtures.small)
    #expect(model.spec.layout(of: .trunk(0)) != nil && model.spec.layout(of: .expert(0, 7)) != nil)
    let error = #expect(throws: ShardStoreError.self) { try bytes(model, piece, 0..<1) }
    #expect(error?.code == .unknownPiece)
    #expect(model.reader.byteCount(of: piece) == nil)
  }

  @Test("files that are missing or were replaced are refused")
  func otherFiles() throws {
    let folder = try TemporaryFolder()
    let path = try folder.copy(Fixtures.small, as: "model.gguf")
    let spec = try ModelSpec(file: GGUFFile.open(path))
    _ = try folder.copy(Fixtures.mixed, as: "model.gguf")
    #expect(#expect(throws: ShardStoreError.self) { try ModelPieceReader(spec: spec) }?.code == .modelChanged)
    try FileManager.default.removeItem(atPath: path)
    let error = #expect(throws: ShardStoreError.self) { try ModelPieceReader(spec: spec) }
    #expect(error?.code == .io && error?.description.contains(path) == true)
  }
}
