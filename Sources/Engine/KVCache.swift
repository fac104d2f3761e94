import ModelGraph
import Tensors

/// Keys and values of the sequences of one stage, in blocks of 64 positions that are taken as sequences grow and
/// reused when they are released. Confined to the engine's thread.
final class KVCache {
  let layout: KVLayout
  private let blocksPerSequence: Int
  private let blockLimit: Int
  private var blockCount = 0
  private var free: [UnsafeMutableRawPointer] = []
  private var buffers: [AlignedBuffer] = []
  private var tables: [SequenceID: Table] = [:]

  private struct Table {
    let blocks: UnsafeMutablePointer<UnsafeMutableRawPointer>
    var count = 0
  }

  /// - Parameters:
  ///   - context: most positions of a sequence.
  ///   - sequences: with `context` the most blocks there may be.
  init(layout: KVLayout, context: Int, sequences: Int) {
    self.layout = layout
    blocksPerSequence = (context + KVType.blockPositions - 1) / KVType.blockPositions
    blockLimit = blocksPerSequence * sequences
  }

  deinit { for table in tables.values { table.blocks.deallocate() } }

  /// Blocks in use by sequences.
  var blocksInUse: Int { blockCount - free.count }

  /// The blocks of a sequence, enough for `positions` positions.
  /// - Throws: `EngineError` when the context or the cache is too small.
  func table(of sequence: SequenceID, positions: Int) throws(EngineError) -> KVBlockTable {
    let needed = (positions + KVType.blockPositions - 1) / KVType.blockPositions
    guard needed <= blocksPerSequence else {
      throw EngineError(.capacity, "sequence \(sequence) wants \(positions) positions, more than the context allows")
    }
    var table = tables[sequence] ?? Table(blocks: .allocate(capacity: max(1, blocksPerSequence)))
    defer {
      // A sequence that got nothing leaves nothing behind.
      if table.count > 0 || needed == 0 {
        tables[sequence] = table
      } else {
        table.blocks.deallocate()
      }
    }
    while table.count < needed {
      table.blocks[table.count] = try takeBlock()
      table.count += 1
    }
    return KVBlockTable(blocks: UnsafePointer(table.blocks))
  }

  /// Gives a sequence's blocks back.
  func release(_ sequence: SequenceID) {
    guard let table = tables.removeValue(forKey: sequence) else { return }
    for index in 0..<table.count { free.append(table.blocks[index]) }
    table.blocks.deallocate()
  }

  private func takeBlock() throws(EngineError) -> UnsafeMutableRawPointer {
    if let block = free.popLast() { return block }
    guard blockCount < blockLimit else {
      throw EngineError(.capacity, "the KV cache of \(blockLimit) blocks is full")
    }
    let buffer = AlignedBuffer(byteCount: layout.blockBytes)
    buffers.append(buffer)
    blockCount += 1
    return buffer.base
  }
}
