import Kernels
import ModelSpec
import Tensors

extension Forward {
  /// Grouped-query attention with rotary positions: adds its output to the pass' residual rows and stores the rows'
  /// keys and values in their sequences' KV blocks. The rows are normed already.
  func attend(_ pass: Pass, _ weights: GroupedAttentionWeights, _ kv: KVLayout) throws(ModelGraphError) {
    try project(
      pass,
      [
        Projection(weights.query, workspace.queries), Projection(weights.key, workspace.keys),
        Projection(weights.value, workspace.values),
      ], isPrepared: true)
    guard rotateAndStore(pass, weights, kv) else {
      throw ModelGraphError.notFinite("a key or value", layer: pass.layer)
    }
    let scale = Float(1 / Double(model.keyHeadSize).squareRoot())
    attendTiles(
      pass, AttentionTerms(window: visiblePositions(pass.layer), scale: scale, sinks: weights.sinks, kv: kv))
    try projectBack(pass, weights.output, workspace.attended, "the attention")
    if let bias = weights.outputBias {
      for row in 0..<pass.rowCount {
        kernels.add(bias, to: workspace.projected + row * model.hiddenSize, count: model.hiddenSize)
      }
    }
    kernels.add(workspace.projected, to: pass.hidden, count: pass.rowCount * model.hiddenSize)
  }

  /// Norms and rotates query and key heads, and writes keys and values to the cache.
  private func rotateAndStore(_ pass: Pass, _ weights: GroupedAttentionWeights, _ kv: KVLayout) -> Bool {
    allSatisfy(count: pass.rowCount, grain: 2) { row, _ in rotateAndStore(pass, row: row, weights, kv) }
  }

  private func rotateAndStore(_ pass: Pass, row: Int, _ weights: GroupedAttentionWeights, _ kv: KVLayout) -> Bool {
    guard let table = pass.tables[row] else { preconditionFailure("row without KV blocks") }
    let position = pass.positions[row]
    let block = table.blocks[position / KVType.blockPositions]
    let slot = position % KVType.blockPositions
    let queries = workspace.queries + row * model.headCount * model.keyHeadSize
    let keys = workspace.keys + row * model.keyValueHeadCount * model.keyHeadSize
    let values = workspace.values + row * model.keyValueHeadCount * model.valueHeadSize
    prepareHeads(queries, count: model.headCount, bias: weights.queryBias, norm: weights.queryNorm, pass, row)
    prepareHeads(keys, count: model.keyValueHeadCount, bias: weights.keyBias, norm: weights.keyNorm, pass, row)
    applyTemperature(queries, count: model.headCount * model.keyHeadSize, position: position)
    if let bias = weights.valueBias {
      kernels.add(bias, to: values, count: model.keyValueHeadCount * model.valueHeadSize)
    }
    var isFinite = true
    for head in 0..<model.keyValueHeadCount {
      let key = keys + head * model.keyHeadSize
      let keySlot = block + kv.keyOffset(pass.layer, head: head) + slot * kv.keyStride
      let valueSlot = block + kv.valueOffset(pass.layer, head: head) + slot * kv.valueStride
      let value = values + head * model.valueHeadSize
      if !kernels.storeKeyValue(kv.type, input: key, count: model.keyHeadSize, output: keySlot) { isFinite = false }
      if !kernels.storeKeyValue(kv.type, input: value, count: model.valueHeadSize, output: valueSlot) {
        isFinite = false
      }
    }
    return isFinite
  }

  /// Bias, norm and rotation of one row's query or key heads.
  private func prepareHeads(
    _ heads: UnsafeMutablePointer<Float>, count: Int, bias: UnsafePointer<Float>?, norm: UnsafePointer<Float>?,
    _ pass: Pass, _ row: Int
  ) {
    let size = model.keyHeadSize
    if let bias { kernels.add(bias, to: heads, count: count * size) }
    if let norm {
      let together = spec.family.attention.normsProjection ? count : 1
      for first in stride(from: 0, to: count, by: together) {
        kernels.rmsNorm(
          input: heads + first * size, weight: norm, epsilon: model.normEpsilon, count: together * size,
          output: heads + first * size)
      }
    }
    for head in 0..<count { rotate(heads + head * size, pass, row) }
  }

  /// Most positions that a row sees in a layer, its own included.
  private func visiblePositions(_ layer: LayerIndex) -> Int {
    guard let window = model.slidingWindow, window.limits(layer.rawValue) else { return .max }
    return window.positions
  }
}
