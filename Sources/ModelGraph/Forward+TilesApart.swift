import Kernels
import ModelSpec
import Tensors

/// Room for the states of tiles that are attended to apart from each other, for a team of several threads.
struct TileStates {
  private let buffer: AlignedBuffer
  /// States that there is room for, each for all the query heads of a piece.
  let count: Int
  /// Values from one state to the next, and from one head's to the next head's.
  let stride: Int
  let headStride: Int

  /// Nil for one thread, which needs none.
  init?(_ model: Hyperparameters, threads: Int) {
    guard threads > 1 else { return nil }
    headStride = AttentionScratch.stateStride(model)
    stride = AttentionPieces.queryLimit * headStride
    count = Self.count(threads)
    buffer = AlignedBuffer(byteCount: Self.byteCount(model, threads: threads))
  }

  /// A running state for each of fewer than `2 * threads` pieces, and those of a round: `4 * threads`, rounded up to
  /// equally many for each piece.
  private static func count(_ threads: Int) -> Int { 8 * threads }

  /// Bytes it takes.
  static func byteCount(_ model: Hyperparameters, threads: Int) -> Int {
    guard threads > 1 else { return 0 }
    let states = count(threads) * AttentionPieces.queryLimit * AttentionScratch.stateStride(model)
    return 4 * (AttentionScratch.stateLead + states)
  }

  /// Where a state's heads stand.
  subscript(index: Int) -> UnsafeMutablePointer<Float> {
    buffer.floats + AttentionScratch.stateLead + index * stride
  }
}

extension Forward {
  /// Attention of few rows over many positions, where there are more threads than key heads: tiles are attended to apart
  /// from each other, some for each thread at a time, and merged in their order.
  /// - Returns: false, having done nothing, when no row sees enough tiles for it to be worth while.
  func attendApart(_ pass: Pass, _ terms: AttentionTerms, _ states: TileStates) -> Bool {
    let keyHeads = spec.keyValueShape.heads
    let pieces = AttentionPieces(singleRows: pass.rowCount, keyHeads: keyHeads, group: model.headCount / keyHeads)
    var longest = 0
    for row in 0..<pass.rowCount { longest = max(longest, tiles(pass, row, terms).count) }
    let together = (4 * team.threadCount + pieces.count - 1) / pieces.count
    guard longest > 2, pieces.count * (1 + together) <= states.count else { return false }
    for start in stride(from: 0, to: longest, by: together) {
      // The states of a round stand behind the running ones.
      team.parallelFor(count: pieces.count * together, grain: 1) { range, thread in
        let scratch = AttentionScratch(workspace.scratch(thread: thread), model)
        for item in range {
          let piece = pieces[item / together]
          let state = states[pieces.count + item]
          attendTile(pass, piece, number: start + item % together, terms, state, scratch)
        }
      }
      team.parallelFor(count: pieces.count * pieces.headsTogether, grain: 4) { range, _ in
        for item in range {
          let (index, head) = item.quotientAndRemainder(dividingBy: pieces.headsTogether)
          let piece = pieces[index]
          guard head < piece.heads.count else { continue }
          let count = min(together, tiles(pass, piece.rows.lowerBound, terms).count - start)
          let first = pieces.count + index * together
          merge(states, first: first, count: count, head: head, into: index, isFirst: start == 0)
        }
      }
    }
    for index in 0..<pieces.count {
      let piece = pieces[index]
      finish(piece.rows.lowerBound, piece.heads, terms, states[index], states.headStride)
    }
    return true
  }

  /// Numbers of the tiles that a row sees.
  private func tiles(_ pass: Pass, _ row: Int, _ terms: AttentionTerms) -> Range<Int> {
    let position = pass.positions[row]
    return max(0, position + 1 - terms.window) / KVType.blockPositions..<position / KVType.blockPositions + 1
  }

  /// One piece over one tile, counted from the first that it sees; nothing if it sees fewer.
  private func attendTile(
    _ pass: Pass, _ piece: AttentionPieces.Piece, number: Int, _ terms: AttentionTerms,
    _ state: UnsafeMutablePointer<Float>, _ scratch: AttentionScratch
  ) {
    let row = piece.rows.lowerBound
    let tiles = tiles(pass, row, terms)
    guard number < tiles.count, let table = pass.tables[row] else { return }
    let tile = tiles.lowerBound + number
    let seen = VisibleSlots(
      tile: tile * KVType.blockPositions, position: pass.positions[row], window: terms.window)
    let first = row * model.headCount + piece.heads.lowerBound
    attendTile(
      table.blocks[tile], TileAddress(pass.layer, keyHead: piece.keyHead, terms.kv), seen.alone,
      workspace.queries + first * model.keyHeadSize, piece.heads.count, terms, state, scratch)
  }

  /// Merges one head's states of a round, in order, into its running state.
  private func merge(_ states: TileStates, first: Int, count: Int, head: Int, into index: Int, isFirst: Bool) {
    let state = states[index] + head * states.headStride
    for number in 0..<max(0, count) {
      let tile = states[first + number] + head * states.headStride
      if isFirst, number == 0 {
        state.update(from: tile, count: 2 + model.valueHeadSize)
      } else {
        kernels.mergeAttention(tile, valueElements: model.valueHeadSize, into: state)
      }
    }
  }
}
