import Kernels
import ModelSpec
import Tensors

extension Forward {
  /// Grouped-query attention with rotary positions: adds its output to the pass' residual rows and stores the rows'
  /// keys and values in their sequences' KV blocks.
  func attend(_ pass: Pass, _ weights: TrunkWeights, _ kv: KVLayout) throws(ModelGraphError) {
    let rows = pass.rowCount
    let layer = pass.layer
    let hidden = model.hiddenSize
    norm(pass, weights.attentionNorm)
    try project(pass, weights)
    guard rotateAndStore(pass, weights, kv) else {
      throw ModelGraphError.notFinite("a key or value", layer: layer)
    }
    attendHeads(pass, kv)
    let width = model.headCount * model.valueHeadSize
    guard let form = weights.attentionOutput.type.activationForm else { preconditionFailure("unchecked type") }
    let activations = workspace.activations(form)
    guard prepare(form, workspace.attended, width: width, rows: rows, into: activations) else {
      throw ModelGraphError.notFinite("the attention", layer: layer)
    }
    multiply(
      weights.attentionOutput, activations, form.rowStride(elements: width), rows, into: workspace.projected,
      outputStride: hidden)
    kernels.add(workspace.projected, to: pass.hidden, count: rows * hidden)
  }

  /// RMS norm of all residual rows into the workspace.
  func norm(_ pass: Pass, _ weight: UnsafePointer<Float>) {
    let width = model.hiddenSize
    let output = workspace.normed
    team.parallelFor(count: pass.rowCount, grain: 4) { range, _ in
      for row in range {
        kernels.rmsNorm(
          input: pass.residual(row), weight: weight, epsilon: model.normEpsilon, count: width,
          output: output + row * width)
      }
    }
  }

  /// Queries, keys and values of all rows, one pass of the team over the three matrices' rows.
  private func project(_ pass: Pass, _ weights: TrunkWeights) throws(ModelGraphError) {
    let matrices = (weights.query, weights.key, weights.value)
    let forms = (matrices.0.type.activationForm, matrices.1.type.activationForm, matrices.2.type.activationForm)
    guard let queryForm = forms.0, let keyForm = forms.1, let valueForm = forms.2 else {
      preconditionFailure("unchecked type")
    }
    try prepareNormed(queryForm, pass)
    if keyForm != queryForm { try prepareNormed(keyForm, pass) }
    if valueForm != queryForm && valueForm != keyForm { try prepareNormed(valueForm, pass) }
    let rows = pass.rowCount
    let ends = (matrices.0.rows, matrices.0.rows + matrices.1.rows)
    let total = ends.1 + matrices.2.rows
    team.parallelFor(count: total, grain: grain(total)) { range, _ in
      multiplyPart(matrices.0, queryForm, range, start: 0, rows, workspace.queries)
      multiplyPart(matrices.1, keyForm, range, start: ends.0, rows, workspace.keys)
      multiplyPart(matrices.2, valueForm, range, start: ends.1, rows, workspace.values)
    }
  }

  /// The part of `range` that falls on a matrix whose rows are numbered from `start` on.
  private func multiplyPart(
    _ matrix: WeightMatrix, _ form: ActivationForm, _ range: Range<Int>, start: Int, _ rows: Int,
    _ output: UnsafeMutablePointer<Float>
  ) {
    let part = range.clamped(to: start..<start + matrix.rows)
    guard !part.isEmpty else { return }
    kernels.multiply(
      matrix, rows: part.lowerBound - start..<part.upperBound - start, activations: workspace.activations(form),
      activationStride: form.rowStride(elements: matrix.columns), activationRows: rows, output: output,
      outputStride: matrix.rows)
  }

  func prepareNormed(_ form: ActivationForm, _ pass: Pass) throws(ModelGraphError) {
    let activations = workspace.activations(form)
    guard prepare(form, workspace.normed, width: model.hiddenSize, rows: pass.rowCount, into: activations) else {
      throw ModelGraphError.notFinite("the normalised hidden state", layer: pass.layer)
    }
  }

  /// Norms and rotates query and key heads, and writes keys and values to the cache.
  private func rotateAndStore(_ pass: Pass, _ weights: TrunkWeights, _ kv: KVLayout) -> Bool {
    workspace.failed.pointee = false
    let failed = workspace.failed
    team.parallelFor(count: pass.rowCount, grain: 2) { range, _ in
      for row in range where !rotateAndStore(pass, row: row, weights, kv) { failed.pointee = true }
    }
    return !failed.pointee
  }

  private func rotateAndStore(_ pass: Pass, row: Int, _ weights: TrunkWeights, _ kv: KVLayout) -> Bool {
    guard let table = pass.tables[row] else { preconditionFailure("row without KV blocks") }
    let position = pass.positions[row]
    let block = table.blocks[position / KVType.blockPositions]
    let slot = position % KVType.blockPositions
    let queries = workspace.queries + row * model.headCount * model.keyHeadSize
    for head in 0..<model.headCount {
      normAndRotate(queries + head * model.keyHeadSize, weights.queryNorm, pass, row)
    }
    let keys = workspace.keys + row * model.keyValueHeadCount * model.keyHeadSize
    let values = workspace.values + row * model.keyValueHeadCount * model.valueHeadSize
    var isFinite = true
    for head in 0..<model.keyValueHeadCount {
      let key = keys + head * model.keyHeadSize
      normAndRotate(key, weights.keyNorm, pass, row)
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

  private func normAndRotate(
    _ head: UnsafeMutablePointer<Float>, _ norm: UnsafePointer<Float>?, _ pass: Pass, _ row: Int
  ) {
    if let norm {
      kernels.rmsNorm(
        input: head, weight: norm, epsilon: model.normEpsilon, count: model.keyHeadSize, output: head)
    }
    let pairs = model.ropeSize / 2
    kernels.rotate(
      head, cosines: pass.cosines + row * pairs, sines: pass.sines + row * pairs, pairs: pairs,
      style: spec.family.rotation == .halves ? .halfSplit : .interleaved)
  }

  /// Every query head over all positions up to its row's own, tile by tile; the query heads that share a key head go
  /// together.
  private func attendHeads(_ pass: Pass, _ kv: KVLayout) {
    let heads = model.keyValueHeadCount
    team.parallelFor(count: pass.rowCount * heads, grain: 1) { range, thread in
      let scratch = workspace.scratch(thread: thread)
      for item in range { attendGroup(pass, row: item / heads, keyHead: item % heads, kv, scratch) }
    }
  }

  private func attendGroup(
    _ pass: Pass, row: Int, keyHead: Int, _ kv: KVLayout, _ scratch: UnsafeMutablePointer<Float>
  ) {
    guard let table = pass.tables[row] else { preconditionFailure("row without KV blocks") }
    let visible = pass.positions[row] + 1
    let states = scratch + Kernels.attentionScratch
    let stateStride = 2 + model.valueHeadSize
    let keyOffset = kv.keyOffset(pass.layer, head: keyHead)
    let valueOffset = kv.valueOffset(pass.layer, head: keyHead)
    let group = model.headCount / model.keyValueHeadCount
    let firstHead = row * model.headCount + keyHead * group
    let scale = Float(1 / Double(model.keyHeadSize).squareRoot())
    var start = 0
    while start < visible {
      let block = table.blocks[start / KVType.blockPositions]
      kernels.attendTile(
        queries: workspace.queries + firstHead * model.keyHeadSize, queryStride: model.keyHeadSize, queryCount: group,
        keys: block + keyOffset, keyStride: kv.keyStride, values: block + valueOffset, valueStride: kv.valueStride,
        type: kv.type, count: min(KVType.blockPositions, visible - start), keyElements: model.keyHeadSize,
        valueElements: model.valueHeadSize, scale: scale, scratch: scratch, states: states, stateStride: stateStride,
        isFirst: start == 0)
      start += KVType.blockPositions
    }
    for head in 0..<group {
      kernels.finishAttention(
        state: states + head * stateStride, valueElements: model.valueHeadSize,
        output: workspace.attended + (firstHead + head) * model.valueHeadSize)
    }
  }
}
