import ModelSpec
import ShardStore
import Tensors
import Testing
import Transport
import Wire

@testable import Worker

/// Pieces in memory, as they are given to other workers: the bytes of the file.
@Suite struct PieceShelfTests {
  private let bench: WorkerBench
  private let shelf: PieceShelf
  private let coordinator: ScriptedCoordinator
  private let link: LinkID

  init() throws {
    bench = try WorkerBench()
    let reef = try bench.start("reef")
    coordinator = ScriptedCoordinator(bench)
    link = coordinator.greet("reef")
    coordinator.run(bench.single(), on: [link])
    shelf = reef.shell.shelf
  }

  private func file(_ entry: PieceEntry) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: entry.byteCount)
    let isThere = try bytes.withUnsafeMutableBytes { try bench.source.read(entry, into: $0) }
    try #require(isThere)
    return bytes
  }

  private func read(_ digest: Digest, _ offset: Int, _ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0xEE, count: count)
    return bytes.withUnsafeMutableBytes { shelf.read(digest, offset: offset, into: $0) } ? bytes : nil
  }

  @Test("every piece comes back whole")
  func whole() throws {
    for entry in bench.manifest.entries {
      #expect(read(entry.digest, 0, entry.byteCount) == (try file(entry)), "\(entry.id)")
    }
  }

  @Test("every offset and length around the seams of a piece's parts, and any others, give the file's bytes")
  func parts() throws {
    var state: UInt64 = 7
    func next(_ limit: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % limit
    }
    for id in [PieceID.embedding, .trunk(1), .expert(2, 5), .output] {
      let entry = try #require(bench.manifest.entry(for: id))
      let bytes = try file(entry)
      let layout = try #require(bench.spec.layout(of: id))
      let seams = layout.parts.flatMap { [$0.offset, $0.offset + $0.byteCount] }
      for seam in seams {
        for offset in max(0, seam - 3)...min(bytes.count, seam + 3) {
          for count in 0...min(6, bytes.count - offset) {
            #expect(read(entry.digest, offset, count) == Array(bytes[offset..<offset + count]))
          }
        }
      }
      for _ in 0..<300 {
        let offset = next(bytes.count + 1)
        let count = next(bytes.count - offset + 1)
        #expect(read(entry.digest, offset, count) == Array(bytes[offset..<offset + count]), "\(id) \(offset) \(count)")
      }
    }
  }

  @Test("what lies beyond a piece, or is not there, is refused")
  func beyond() throws {
    let entry = try #require(bench.manifest.entry(for: .expert(0, 0)))
    #expect(read(entry.digest, entry.byteCount, 0) == [])
    for (offset, count) in [
      (entry.byteCount, 1), (0, entry.byteCount + 1), (1, entry.byteCount), (-1, 1), (.max, 1), (.min, 1), (.max, 0),
    ] {
      #expect(read(entry.digest, offset, count) == nil, "\(offset) \(count)")
    }
    #expect(read(try PieceDigest.of([1, 2, 3]), 0, 1) == nil)
    #expect(read(bench.manifest.header.digest, 0, 1) == nil, "headers are not on the shelf")
  }

  @Test("what the worker gives up is not there any more")
  func released() throws {
    let entry = try #require(bench.manifest.entry(for: .expert(0, 0)))
    #expect(read(entry.digest, 0, 1) != nil)
    coordinator.ask(.release(EpochNotice(epoch: PlacementEpoch(rawValue: 0))), on: link)
    #expect(read(entry.digest, 0, 1) == nil)
  }
}
