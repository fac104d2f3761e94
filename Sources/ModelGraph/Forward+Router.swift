import Kernels
import ModelSpec
import Tensors

extension Forward {
  /// Chooses each row's experts and prepares their input.
  func route(_ pass: Pass, _ weights: TrunkWeights) throws(ModelGraphError) -> RoutedRows {
    let rows = pass.rowCount
    let block = expertBlock
    for row in 0..<rows {
      guard
        let exponent = kernels.gridExponent(
          residual: pass.residual(row), count: model.hiddenSize, shift: combine.gridShift)
      else { throw ModelGraphError.notFinite("the residual stream", layer: pass.layer) }
      pass.exponents[row] = exponent
    }
    norm(pass, weights.feedForwardNorm)
    guard let routerForm = weights.router.type.activationForm else { preconditionFailure("unchecked type") }
    try prepareNormed(routerForm, pass)
    multiply(
      weights.router, workspace.activations(routerForm), routerForm.rowStride(elements: model.hiddenSize), rows,
      into: workspace.routerScores, outputStride: model.expertCount)
    for row in 0..<rows where !choose(row, block) { throw ModelGraphError.notFinite("the router", layer: pass.layer) }
    block.firstChoice[rows] = Int32(rows * model.expertsPerToken)
    var activations = ActivationSet()
    for form in expertForms[pass.layer.rawValue] {
      if form != routerForm { try prepareNormed(form, pass) }
      activations[form] = workspace.activations(form)
    }
    return RoutedRows(
      layer: pass.layer, rowCount: rows, exponents: pass.exponents, firstChoice: block.firstChoice,
      experts: block.chosen, weights: block.chosenWeights, activations: activations)
  }

  /// Top-k of one row's router scores, as the family weights them.
  /// - Returns: false when a weight is not finite, because the scores are not.
  private func choose(_ row: Int, _ block: ExpertBlock) -> Bool {
    let count = model.expertsPerToken
    let scores = workspace.routerScores + row * model.expertCount
    let chosen = block.chosen + row * count
    let chosenWeights = block.chosenWeights + row * count
    block.firstChoice[row] = Int32(row * count)
    switch spec.family.router {
    case .softmax(let normalised):
      kernels.softmax(scores, count: model.expertCount)
      kernels.topK(scores, count: model.expertCount, k: count, indices: chosen)
      var sum: Float = 0
      for choice in 0..<count {
        chosenWeights[choice] = scores[Int(chosen[choice])]
        sum += chosenWeights[choice]
      }
      guard normalised else { return sum.isFinite }
      for choice in 0..<count { chosenWeights[choice] /= sum }
      return sum.isFinite && sum > 0
    }
  }
}
