import ModelSpec
import Tensors
import Testing

@testable import Engine
@testable import ModelGraph

@Suite struct KVCacheTests {
  private func cache(context: Int, sequences: Int) throws -> KVCache {
    let model = try TinyModel()
    let bench = try withExtendedLifetime(model) { try EngineBench(model.path) }
    return KVCache(
      layout: KVLayout(spec: bench.spec, layers: bench.spec.layers, type: .f16), context: context, sequences: sequences)
  }

  private func sequence(_ number: UInt64) -> SequenceID { SequenceID(rawValue: number) }

  @Test("a sequence takes a block each 64 positions and keeps those it has")
  func growth() throws {
    let cache = try cache(context: 200, sequences: 2)
    var blocks: [UnsafeMutableRawPointer] = []
    for (positions, count) in [(1, 1), (64, 1), (65, 2), (128, 2), (129, 3), (200, 4)] {
      let table = try cache.table(of: sequence(1), positions: positions)
      #expect(cache.blocksInUse == count)
      let now = (0..<count).map { table.blocks[$0] }
      #expect(Array(now.prefix(blocks.count)) == blocks && Set(now).count == count)
      blocks = now
    }
  }

  @Test("released blocks are used again, and none is lost")
  func release() throws {
    let cache = try cache(context: 128, sequences: 2)
    var seen: Set<UnsafeMutableRawPointer> = []
    for round in UInt64(0)..<50 {
      for offset in UInt64(0)..<2 {
        let table = try cache.table(of: sequence(2 * round + offset), positions: 128)
        seen.formUnion([table.blocks[0], table.blocks[1]])
      }
      #expect(cache.blocksInUse == 4)
      for offset in UInt64(0)..<2 { cache.release(sequence(2 * round + offset)) }
      cache.release(sequence(2 * round))
      #expect(cache.blocksInUse == 0)
    }
    #expect(seen.count == 4)
  }

  @Test("a full cache and a sequence past the context are typed errors that leave the others alone")
  func capacity() throws {
    let cache = try cache(context: 128, sequences: 1)
    let past = #expect(throws: EngineError.self) { try cache.table(of: sequence(1), positions: 129) }
    #expect(past?.code == .capacity && past?.message.contains("129") == true)
    let first = try cache.table(of: sequence(1), positions: 64).blocks[0]
    _ = try cache.table(of: sequence(2), positions: 10)
    let full = #expect(throws: EngineError.self) { try cache.table(of: sequence(1), positions: 65) }
    #expect(full?.code == .capacity)
    #expect(throws: EngineError.self) { try cache.table(of: sequence(3), positions: 1) }
    #expect(cache.blocksInUse == 2)
    cache.release(sequence(3))
    cache.release(sequence(2))
    #expect(try cache.table(of: sequence(1), positions: 128).blocks[0] == first)
  }
}
