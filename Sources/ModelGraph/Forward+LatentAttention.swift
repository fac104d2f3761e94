import Kernels
import ModelSpec
import Tensors

/// Latent attention in the absorbed form, in prefill as in decode: what projects keys up is applied to the queries
/// instead, and what projects values up to the weighted sums, so that the cache holds one narrow vector for all heads.
///
/// Source: DeepSeek-AI, "DeepSeek-V2" (2024), section 2.1 and appendix C.
extension Forward {
  /// Adds the attention's output to the pass' residual rows and stores the rows' latent vectors in their sequences' KV
  /// blocks. The rows are normed already.
  func attend(_ pass: Pass, _ weights: LatentAttentionWeights, _ kv: KVLayout) throws(ModelGraphError) {
    guard let latent = model.latent, let scratch = latentWorkspace else { preconditionFailure("no latent attention") }
    try projectQueries(pass, weights, scratch)
    guard storeLatents(pass, weights, latent, kv) else {
      throw ModelGraphError.notFinite("a latent vector", layer: pass.layer)
    }
    rotateQueries(pass, latent, scratch)
    // The latent part of each query head, [keyValueRank], ahead of the rotated one.
    let absorbed = multiplyHeads(
      pass, weights.keyUp, input: scratch.queryHeads, headStride: latent.queryHeadSize, output: workspace.queries,
      outputHeadStride: model.keyHeadSize, scratch)
    guard absorbed else { throw ModelGraphError.notFinite("a query", layer: pass.layer) }
    let width = model.headCount * model.keyHeadSize
    for row in 0..<pass.rowCount {
      applyTemperature(workspace.queries + row * width, count: width, position: pass.positions[row])
    }
    attendTiles(pass, AttentionTerms(window: .max, scale: latentScale(latent), sinks: nil, kv: kv))
    let raised = multiplyHeads(
      pass, weights.valueUp, input: workspace.attended, headStride: model.valueHeadSize, output: scratch.valueHeads,
      outputHeadStride: latent.valueHeadSize, scratch)
    guard raised else { throw ModelGraphError.notFinite("the attention", layer: pass.layer) }
    try projectBack(pass, weights.output, scratch.valueHeads, "the attention")
    kernels.add(workspace.projected, to: pass.hidden, count: pass.rowCount * model.hiddenSize)
  }

  /// Query heads into `queryHeads`, and the vectors to be cached into `workspace.keys`.
  private func projectQueries(
    _ pass: Pass, _ weights: LatentAttentionWeights, _ scratch: LatentWorkspace
  ) throws(ModelGraphError) {
    let keys = Projection(weights.keyValueDown, workspace.keys)
    switch weights.query {
    case .direct(let matrix): try project(pass, [Projection(matrix, scratch.queryHeads), keys], isPrepared: true)
    case .latent(let down, let norm, let up):
      try project(pass, [Projection(down, scratch.latentQueries), keys], isPrepared: true)
      for row in 0..<pass.rowCount {
        let query = scratch.latentQueries + row * down.rows
        kernels.rmsNorm(input: query, weight: norm, epsilon: model.normEpsilon, count: down.rows, output: query)
      }
      let form = form(of: up)
      let activations = workspace.activations(form)
      guard prepare(form, scratch.latentQueries, width: down.rows, rows: pass.rowCount, into: activations) else {
        throw ModelGraphError.notFinite("a latent query", layer: pass.layer)
      }
      multiply(
        up, activations, form.rowStride(elements: up.columns), pass.rowCount, into: scratch.queryHeads,
        outputStride: up.rows)
    }
  }

  /// Norms the latent part of each row's vector, rotates the rest, and writes it to the cache.
  /// - Returns: false when a value is not finite.
  private func storeLatents(
    _ pass: Pass, _ weights: LatentAttentionWeights, _ latent: LatentShape, _ kv: KVLayout
  ) -> Bool {
    allSatisfy(count: pass.rowCount, grain: 4) { row, _ in storeLatent(pass, row, weights, latent, kv) }
  }

  private func storeLatent(
    _ pass: Pass, _ row: Int, _ weights: LatentAttentionWeights, _ latent: LatentShape, _ kv: KVLayout
  ) -> Bool {
    guard let table = pass.tables[row] else { preconditionFailure("row without KV blocks") }
    let position = pass.positions[row]
    let key = workspace.keys + row * model.keyHeadSize
    kernels.rmsNorm(
      input: key, weight: weights.keyValueNorm, epsilon: model.normEpsilon, count: latent.keyValueRank, output: key)
    rotate(key + latent.keyValueRank, pass, row)
    let block = table.blocks[position / KVType.blockPositions]
    let slot = block + kv.keyOffset(pass.layer, head: 0) + position % KVType.blockPositions * kv.keyStride
    return kernels.storeKeyValue(kv.type, input: key, count: model.keyHeadSize, output: slot)
  }

  /// The rotated part of each query head, behind the latent one.
  private func rotateQueries(_ pass: Pass, _ latent: LatentShape, _ scratch: LatentWorkspace) {
    team.parallelFor(count: pass.rowCount, grain: 2) { range, _ in
      for row in range {
        for head in 0..<model.headCount {
          let index = row * model.headCount + head
          let query = workspace.queries + index * model.keyHeadSize + latent.keyValueRank
          let source = scratch.queryHeads + (index + 1) * latent.queryHeadSize - model.ropeSize
          query.update(from: source, count: model.ropeSize)
          rotate(query, pass, row)
        }
      }
    }
  }

  /// Multiplies each head's vectors with that head's part of a stack of matrices.
  /// - Parameters:
  ///   - stack: `[headCount * rows, columns]`.
  ///   - input: for each row and head, `headStride` elements apart, `columns` values.
  ///   - output: likewise `rows` values, `outputHeadStride` elements apart.
  /// - Returns: false when a value is not finite.
  private func multiplyHeads(
    _ pass: Pass, _ stack: WeightMatrix, input: UnsafePointer<Float>, headStride: Int,
    output: UnsafeMutablePointer<Float>, outputHeadStride: Int, _ scratch: LatentWorkspace
  ) -> Bool {
    let form = form(of: stack)
    let stride = form.rowStride(elements: stack.columns)
    let base = scratch.activations(form)
    let heads = model.headCount
    let (matrixRows, rows) = (stack.rows / heads, pass.rowCount)
    return allSatisfy(count: heads, grain: 1) { head, _ in
      let activations = base + head * rows * stride
      for row in 0..<rows {
        let done = kernels.prepareActivations(
          form, input: input + (row * heads + head) * headStride, elements: stack.columns,
          row: activations + row * stride)
        guard done else { return false }
      }
      // The matrix' rows are numbered through all heads, so that the heads before are in their place already.
      kernels.multiply(
        stack, rows: head * matrixRows..<(head + 1) * matrixRows, activations: activations, activationStride: stride,
        activationRows: rows, output: output + head * (outputHeadStride - matrixRows),
        outputStride: heads * outputHeadStride)
      return true
    }
  }

  /// Factor of the scores: 1 / sqrt(query elements), and with YaRN the square of m(`logMultiplier`).
  private func latentScale(_ latent: LatentShape) -> Float {
    let scale = 1 / Double(latent.queryHeadSize).squareRoot()
    guard case .yarn(let yarn) = model.ropeScaling else { return Float(scale) }
    let magnitude = yarn.magnitude(yarn.logMultiplier)
    return Float(scale * magnitude * magnitude)
  }
}
