import Kernels
import ModelSpec
import Tensors

/// What all pieces of a layer's attention have in common.
struct AttentionTerms {
  /// Most positions that a row sees, its own included.
  let window: Int
  /// Factor of the scores.
  let scale: Float
  /// For each query head of the model a score that no position has; nil for none.
  let sinks: UnsafePointer<Float>?
  let kv: KVLayout
}

extension Forward {
  /// Attends with every query head over the positions that its row sees, tile by tile; the queries stand in
  /// `workspace.queries`, the results go to `attended`.
  func attendTiles(_ pass: Pass, _ terms: AttentionTerms) {
    let keyHeads = spec.keyValueShape.heads
    let pieces = AttentionPieces(
      rows: pass.rowCount, keyHeads: keyHeads, group: model.headCount / keyHeads, threads: team.threadCount)
    if pieces.leavesThreadsIdle, let states = workspace.tileStates, attendApart(pass, terms, states) { return }
    team.parallelFor(count: pieces.count, grain: 1) { range, thread in
      let scratch = AttentionScratch(workspace.scratch(thread: thread), model)
      for index in range {
        let piece = pieces[index]
        var start = piece.rows.lowerBound
        while start < piece.rows.upperBound {
          var end = start + 1
          while end < piece.rows.upperBound, pass.continuesSequence(end) { end += 1 }
          attendTiles(pass, start..<end, piece.heads, keyHead: piece.keyHead, terms, scratch)
          start = end
        }
      }
    }
  }

  /// The same for some heads of some rows at neighbouring positions of one sequence. Tiles that all rows see alike are
  /// taken with all of them together.
  private func attendTiles(
    _ pass: Pass, _ rows: Range<Int>, _ heads: Range<Int>, keyHead: Int, _ terms: AttentionTerms,
    _ scratch: AttentionScratch
  ) {
    guard let table = pass.tables[rows.lowerBound] else { preconditionFailure("row without KV blocks") }
    let queries = gatherQueries(rows, heads, scratch)
    let first = pass.positions[rows.lowerBound]
    let last = first + rows.count - 1
    let tile = TileAddress(pass.layer, keyHead: keyHead, terms.kv)
    var start = max(0, first + 1 - terms.window) / KVType.blockPositions * KVType.blockPositions
    while start <= last {
      let block = table.blocks[start / KVType.blockPositions]
      let next = start + KVType.blockPositions <= last ? table.blocks[start / KVType.blockPositions + 1] : nil
      let seen = VisibleSlots(tile: start, position: first, window: terms.window)
      if seen == VisibleSlots(tile: start, position: last, window: terms.window) {
        let count = rows.count * heads.count
        attendTile(block, next: next, tile, seen, queries, count, terms, scratch.states, scratch)
      } else {
        for row in 0..<rows.count {
          let seen = VisibleSlots(tile: start, position: first + row, window: terms.window)
          guard !seen.slots.isEmpty else { continue }
          let query = row * heads.count
          attendTile(
            block, tile, seen, queries + query * model.keyHeadSize, heads.count, terms,
            scratch.states + query * scratch.stateStride, scratch)
        }
      }
      start += KVType.blockPositions
    }
    for (index, row) in rows.enumerated() {
      finish(row, heads, terms, scratch.states + index * heads.count * scratch.stateStride, scratch.stateStride)
    }
  }

  /// Attention's outputs for some heads of a row.
  func finish(
    _ row: Int, _ heads: Range<Int>, _ terms: AttentionTerms, _ states: UnsafePointer<Float>, _ stateStride: Int
  ) {
    for (index, head) in heads.enumerated() {
      kernels.finishAttention(
        state: states + index * stateStride, valueElements: model.valueHeadSize, sink: terms.sinks.map { $0[head] },
        output: workspace.attended + (row * model.headCount + head) * model.valueHeadSize)
    }
  }

  /// The queries of a piece, one after the other, row by row.
  private func gatherQueries(
    _ rows: Range<Int>, _ heads: Range<Int>, _ scratch: AttentionScratch
  ) -> UnsafePointer<Float> {
    let size = model.keyHeadSize
    let first = workspace.queries + (rows.lowerBound * model.headCount + heads.lowerBound) * size
    guard rows.count > 1 else { return UnsafePointer(first) }
    for row in 0..<rows.count {
      (scratch.queries + row * heads.count * size).update(
        from: first + row * model.headCount * size, count: heads.count * size)
    }
    return UnsafePointer(scratch.queries)
  }

  /// Some queries over one tile, merged into their states.
  /// - Parameter next: the block that the same queries go on with, if any.
  func attendTile(
    _ block: UnsafeMutableRawPointer, next: UnsafeMutableRawPointer? = nil, _ tile: TileAddress, _ seen: VisibleSlots,
    _ queries: UnsafePointer<Float>,
    _ queryCount: Int, _ terms: AttentionTerms, _ states: UnsafeMutablePointer<Float>, _ scratch: AttentionScratch
  ) {
    let (kv, slot) = (terms.kv, seen.slots.lowerBound)
    kernels.attendTile(
      queries: queries, queryStride: model.keyHeadSize, queryCount: queryCount,
      keys: block + tile.keys + slot * kv.keyStride, keyStride: kv.keyStride,
      values: block + tile.values + slot * kv.valueStride, valueStride: kv.valueStride, type: kv.type,
      count: seen.slots.count, keyElements: model.keyHeadSize, valueElements: model.valueHeadSize, scale: terms.scale,
      scratch: scratch.weights, states: states, stateStride: scratch.stateStride, isFirst: seen.isFirst,
      nextKeys: next.map { UnsafeRawPointer($0 + tile.keys) },
      nextValues: tile.values == tile.keys ? nil : next.map { UnsafeRawPointer($0 + tile.values) })
  }
}

/// Where the keys and values of one head begin in a block, in bytes.
struct TileAddress {
  let keys: Int
  let values: Int

  init(_ layer: LayerIndex, keyHead: Int, _ kv: KVLayout) {
    keys = kv.keyOffset(layer, head: keyHead)
    values = kv.valueOffset(layer, head: keyHead)
  }
}

/// What a row sees of a tile.
struct VisibleSlots: Equatable {
  /// Slots of the tile; only the row's first tile may begin inside, where a window does, and only its last may end so.
  let slots: Range<Int>
  /// Whether no tile before has anything that the row sees.
  let isFirst: Bool

  /// - Parameters:
  ///   - tile: the tile's first position.
  ///   - position: the row's own.
  ///   - window: most positions that the row sees.
  init(tile: Int, position: Int, window: Int) {
    let begin = max(0, position + 1 - window)
    let end = min(max(position + 1 - tile, 0), KVType.blockPositions)
    slots = min(max(begin - tile, 0), end)..<end
    isFirst = begin >= tile
  }

  private init(slots: Range<Int>, isFirst: Bool) { (self.slots, self.isFirst) = (slots, isFirst) }

  /// The same, for a state that is to hold nothing but this tile.
  var alone: VisibleSlots { VisibleSlots(slots: slots, isFirst: true) }
}
