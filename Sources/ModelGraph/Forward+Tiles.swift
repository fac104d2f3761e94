import Kernels
import ModelSpec
import Tensors

extension Forward {
  /// Attends with some query heads of a row to the keys and values of the one head that they share, tile by tile, from
  /// the position `begin` to the row's own; the queries stand in `workspace.queries`, the results go to `attended`.
  /// - Parameters:
  ///   - heads: query heads, whose states fit the scratch memory.
  ///   - sinks: for each query head of the model a score that no position has; nil for none.
  func attendTiles(
    _ pass: Pass, row: Int, _ heads: Range<Int>, keyHead: Int, from begin: Int, scale: Float,
    sinks: UnsafePointer<Float>?, _ kv: KVLayout, _ scratch: UnsafeMutablePointer<Float>
  ) {
    guard let table = pass.tables[row] else { preconditionFailure("row without KV blocks") }
    let end = pass.positions[row] + 1
    let states = scratch + Kernels.attentionScratch
    let stateStride = 2 + model.valueHeadSize
    let keyOffset = kv.keyOffset(pass.layer, head: keyHead)
    let valueOffset = kv.valueOffset(pass.layer, head: keyHead)
    let first = row * model.headCount + heads.lowerBound
    var start = begin
    while start < end {
      let block = table.blocks[start / KVType.blockPositions]
      // Only the first tile may begin inside a block, where a window does.
      let slot = start % KVType.blockPositions
      let count = min(KVType.blockPositions - slot, end - start)
      kernels.attendTile(
        queries: workspace.queries + first * model.keyHeadSize, queryStride: model.keyHeadSize,
        queryCount: heads.count, keys: block + keyOffset + slot * kv.keyStride, keyStride: kv.keyStride,
        values: block + valueOffset + slot * kv.valueStride, valueStride: kv.valueStride, type: kv.type, count: count,
        keyElements: model.keyHeadSize, valueElements: model.valueHeadSize, scale: scale, scratch: scratch,
        states: states, stateStride: stateStride, isFirst: start == begin)
      start += count
    }
    for (index, head) in heads.enumerated() {
      kernels.finishAttention(
        state: states + index * stateStride, valueElements: model.valueHeadSize, sink: sinks.map { $0[head] },
        output: workspace.attended + (first + index) * model.valueHeadSize)
    }
  }
}
