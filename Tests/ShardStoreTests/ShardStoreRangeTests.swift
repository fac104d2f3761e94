import Foundation
import ModelSpec
import Tensors
import Testing

@testable import ShardStore

@Suite struct ShardStoreRangeTests {
  private let folder: TemporaryFolder
  private let store: ShardStore
  private let entry: PieceEntry
  private let packed: [UInt8]

  init() throws {
    folder = try TemporaryFolder()
    store = try ShardStore(directory: folder.path)
    let model = try Model(Fixtures.small)
    entry = try model.entry(.expert(1, 2))
    packed = try model.packed(entry.id)
    try store.insert(entry.id, of: model)
  }

  private func bytes(_ digest: Digest? = nil, of size: Int? = nil, from offset: Int, _ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0xFF, count: count)
    try bytes.withUnsafeMutableBytes {
      try store.read(digest: digest ?? entry.digest, byteCount: size ?? entry.byteCount, offset: offset, into: $0)
    }
    return bytes
  }

  private func code(_ body: () throws -> [UInt8]) -> ShardStoreError.Code? {
    #expect(throws: ShardStoreError.self, performing: body)?.code
  }

  @Test("any range of a piece has its bytes")
  func ranges() throws {
    let size = entry.byteCount
    for (offset, count) in [(0, size), (0, 1), (size - 1, 1), (17, 1000), (0, 0), (size, 0), (size / 2, size / 3)] {
      #expect(try bytes(from: offset, count) == Array(packed[offset..<offset + count]))
    }
  }

  @Test("ranges outside the piece are refused")
  func badRanges() {
    let size = entry.byteCount
    for (offset, count) in [(-1, 1), (0, size + 1), (size, 1), (size + 1, 0), (.max, 1), (.min, 1), (1, size)] {
      #expect(code { try bytes(from: offset, count) } == .badRange)
    }
    #expect(code { try bytes(of: -1, from: 0, 0) } == .badRange)
    #expect(code { try bytes(of: .min, from: .min, 1) } == .badRange)
  }

  @Test("a piece that is not there, or has another size than was asked for")
  func missing() throws {
    #expect(code { try bytes(PieceHasher.digest(of: [1]), from: 0, 1) } == .unknownPiece)
    #expect(code { try bytes(of: entry.byteCount + 1, from: entry.byteCount, 1) } == .damagedPiece)
    #expect(code { try bytes(of: 1, from: 0, 1) } == .damagedPiece)
    truncate(store.path(entry.digest), 10)
    #expect(code { try bytes(from: 0, 1) } == .damagedPiece)
    try FileManager.default.removeItem(atPath: store.pieceFolder)
    #expect(code { try bytes(from: 0, 1) } == .unknownPiece)
  }

  @Test("reading for others is no use of the piece")
  func unused() throws {
    let time = timespec(tv_sec: 1000, tv_nsec: 0)
    utimensat(AT_FDCWD, store.path(entry.digest), [time, time], 0)
    _ = try bytes(from: 0, 10)
    #expect(store.list().map(\.lastUsed) == [1000 * 1_000_000_000])
  }
}
