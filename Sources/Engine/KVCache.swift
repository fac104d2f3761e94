import ModelGraph
import Tensors

/// Keys and values of the sequences of one stage, in blocks of 64 positions that are taken as sequences grow and
/// reused when they are released. Confined to the engine's thread.
final class KVCache {
  let layout: KVLayout
  private let blocksPerSequence: Int
  private var sequenceLimit: Int
  private var blockCount = 0
  private var free: [AlignedBuffer] = []
  private var tables: [SequenceID: Table] = [:]

  private struct Table {
    let blocks: UnsafeMutablePointer<UnsafeMutableRawPointer>
    /// Owners of the blocks, in the same order.
    var buffers: [AlignedBuffer] = []
  }

  /// - Parameters:
  ///   - context: most positions of a sequence.
  ///   - sequences: with `context` the most blocks there may be.
  init(layout: KVLayout, context: Int, sequences: Int) {
    self.layout = layout
    blocksPerSequence = (context + KVType.blockPositions - 1) / KVType.blockPositions
    sequenceLimit = sequences
  }

  deinit { for table in tables.values { table.blocks.deallocate() } }

  private var blockLimit: Int { blocksPerSequence * sequenceLimit }

  /// Blocks in use by sequences.
  var blocksInUse: Int { blockCount - free.count }

  /// Sequences with blocks, ascending.
  var sequences: [SequenceID] { tables.keys.sorted() }

  /// Blocks of a sequence.
  func blockCount(of sequence: SequenceID) -> Int { tables[sequence]?.buffers.count ?? 0 }

  /// The bytes of one layer in a block that the sequence has, `layout.layerBytes`; valid until the sequence is released.
  func slab(of sequence: SequenceID, block: Int, layer: LayerIndex) -> UnsafeMutableRawBufferPointer? {
    guard layout.layers.contains(layer), let table = tables[sequence], table.buffers.indices.contains(block) else {
      return nil
    }
    return UnsafeMutableRawBufferPointer(
      start: table.blocks[block] + layout.offset(of: layer), count: layout.layerBytes)
  }

  /// The blocks of a sequence, enough for `positions` positions.
  /// - Throws: `EngineError` when the context or the cache is too small.
  func table(of sequence: SequenceID, positions: Int) throws(EngineError) -> KVBlockTable {
    let needed = (positions + KVType.blockPositions - 1) / KVType.blockPositions
    guard needed <= blocksPerSequence else {
      throw EngineError(.capacity, "sequence \(sequence) wants \(positions) positions, more than the context allows")
    }
    return KVBlockTable(blocks: UnsafePointer(try grow(sequence, to: needed, isLimited: true).blocks))
  }

  /// Gives a sequence's blocks back.
  func release(_ sequence: SequenceID) {
    guard let table = tables.removeValue(forKey: sequence) else { return }
    free += table.buffers
    table.blocks.deallocate()
    trim()
  }

  // MARK: - Taking over from another cache

  /// Changes how many sequences there may be. What is in use beyond that stays until it is released.
  func limit(sequences: Int) {
    sequenceLimit = sequences
    trim()
  }

  /// Copies the layers that both caches hold, block by block. May pass the limit, as the other cache may be one for
  /// more sequences, the last of which are about to be released.
  func copy(from other: KVCache) {
    let common = layout.layers.clamped(to: other.layout.layers)
    guard !common.isEmpty else { return }
    for (sequence, source) in other.tables {
      guard let table = try? grow(sequence, to: source.buffers.count, isLimited: false) else { continue }
      for block in source.buffers.indices {
        (table.blocks[block] + layout.offset(of: common.lowerBound)).copyMemory(
          from: source.blocks[block] + other.layout.offset(of: common.lowerBound),
          byteCount: common.count * layout.layerBytes)
      }
    }
  }

  /// Sets the bytes of one layer in a block; the sequence gets the blocks up to that one.
  /// - Throws: `EngineError` when layer, block or size are not those of this cache, or there is no room.
  func store(
    _ bytes: UnsafeRawBufferPointer, sequence: SequenceID, layer: LayerIndex, block: Int
  ) throws(EngineError) {
    guard layout.layers.contains(layer), (0..<blocksPerSequence).contains(block), bytes.count == layout.layerBytes,
      let source = bytes.baseAddress
    else {
      throw EngineError(
        .protocolViolation,
        "\(bytes.count) bytes of block \(block) of layer \(layer) do not fit a cache of \(blocksPerSequence) blocks a "
          + "sequence, \(layout.layerBytes) bytes each, for layers \(layout.layers)")
    }
    guard tables[sequence] != nil || tables.count < sequenceLimit else {
      throw EngineError(.capacity, "the KV cache is for \(sequenceLimit) sequences; \(sequence) would be one more")
    }
    guard block + 1 - blockCount(of: sequence) <= max(0, blockLimit - blocksInUse) else {
      throw EngineError(.capacity, "the KV cache of \(blockLimit) blocks has no room for block \(block) of \(sequence)")
    }
    let table = try grow(sequence, to: block + 1, isLimited: true)
    (table.blocks[block] + layout.offset(of: layer)).copyMemory(from: source, byteCount: bytes.count)
  }

  // MARK: - Blocks

  private func grow(_ sequence: SequenceID, to count: Int, isLimited: Bool) throws(EngineError) -> Table {
    var table = tables[sequence] ?? Table(blocks: .allocate(capacity: max(1, blocksPerSequence)))
    defer {
      // A sequence that got nothing leaves nothing behind.
      if !table.buffers.isEmpty || count == 0 {
        tables[sequence] = table
      } else {
        table.blocks.deallocate()
      }
    }
    while table.buffers.count < count {
      let block = try takeBlock(isLimited: isLimited)
      table.blocks[table.buffers.count] = block.base
      table.buffers.append(block)
    }
    return table
  }

  private func takeBlock(isLimited: Bool) throws(EngineError) -> AlignedBuffer {
    if let block = free.popLast() { return block }
    guard blockCount < blockLimit || !isLimited else {
      throw EngineError(.capacity, "the KV cache of \(blockLimit) blocks is full")
    }
    blockCount += 1
    return AlignedBuffer(byteCount: layout.blockBytes)
  }

  /// Frees blocks that nobody uses and that are beyond the limit.
  private func trim() {
    while blockCount > blockLimit, free.popLast() != nil { blockCount -= 1 }
  }
}
