import Kernels
import ModelSpec
import Tensors

extension Forward {
  /// Chooses each row's experts and prepares their input.
  func route(
    _ pass: Pass, _ weights: TrunkWeights, _ router: RouterWeights
  ) throws(ModelGraphError) -> RoutedRows {
    let rows = pass.rowCount
    let block = expertBlock
    for row in 0..<rows {
      guard
        let exponent = kernels.gridExponent(
          residual: pass.residual(row), count: model.hiddenSize, shift: combine.gridShift)
      else { throw ModelGraphError.notFinite("the residual stream", layer: pass.layer) }
      pass.exponents[row] = exponent
    }
    let forms = expertForms[pass.layer.rawValue]
    try norm(
      pass, weights.feedForwardNorm, into: forms.reduce(FormSet(router.matrix)) { $0.union(FormSet($1)) })
    try project(pass, [Projection(router.matrix, workspace.routerScores)], isPrepared: true)
    for row in 0..<rows where !choose(row, router) { throw ModelGraphError.notFinite("the router", layer: pass.layer) }
    block.firstChoice[rows] = Int32(rows * model.expertsPerToken)
    var activations = ActivationSet()
    for form in forms { activations[form] = workspace.activations(form) }
    return RoutedRows(
      layer: pass.layer, rowCount: rows, exponents: pass.exponents, firstChoice: block.firstChoice,
      experts: block.chosen, weights: block.chosenWeights, activations: activations)
  }

  /// Top-k of one row's router scores, weighted as the model says (docs/numerics.md, "Choosing experts").
  /// - Returns: false when a weight is not finite, because the scores are not.
  private func choose(_ row: Int, _ router: RouterWeights) -> Bool {
    let routing = model.routing
    let (experts, count) = (model.expertCount, model.expertsPerToken)
    let scores = workspace.routerScores + row * experts
    let chosen = expertBlock.chosen + row * count
    let weights = expertBlock.chosenWeights + row * count
    expertBlock.firstChoice[row] = Int32(row * count)
    if let bias = router.bias { kernels.add(bias, to: scores, count: experts) }
    guard (0..<experts).allSatisfy({ scores[$0].isFinite }) else { return false }
    switch routing.gating {
    case .softmax: kernels.softmax(scores, count: experts)
    case .sigmoid: for expert in 0..<experts { scores[expert] = Kernels.sigmoid(scores[expert]) }
    case .softmaxOfChosen: break
    }
    guard let ranked = ranked(scores, router) else { return false }
    kernels.topK(ranked, count: experts, k: count, indices: chosen)
    for choice in 0..<count { weights[choice] = scores[Int(chosen[choice])] }
    if routing.gating == .softmaxOfChosen { kernels.softmax(weights, count: count) }
    var sum: Float = 0
    for choice in 0..<count { sum += weights[choice] }
    if routing.isNormalised, sum > 0 {
      for choice in 0..<count { weights[choice] /= sum }
    }
    for choice in 0..<count { weights[choice] *= routing.scale }
    return sum.isFinite
  }

  /// What the choice goes by: the scores, with the selection bias, and only in the groups that are chosen first.
  /// - Returns: nil when a value is not finite.
  private func ranked(_ scores: UnsafeMutablePointer<Float>, _ router: RouterWeights) -> UnsafePointer<Float>? {
    let groups = model.routing.groupCount
    guard router.selectionBias != nil || groups > 1 else { return UnsafePointer(scores) }
    let ranked = expertBlock.ranked
    ranked.update(from: scores, count: model.expertCount)
    if let bias = router.selectionBias { kernels.add(bias, to: ranked, count: model.expertCount) }
    guard (0..<model.expertCount).allSatisfy({ ranked[$0].isFinite }) else { return nil }
    guard groups > 1 else { return UnsafePointer(ranked) }
    let size = model.expertCount / groups
    let (groupScores, chosenGroups) = (expertBlock.groupScores, expertBlock.chosenGroups)
    for group in 0..<groups { groupScores[group] = groupScore(ranked + group * size, size) }
    kernels.topK(groupScores, count: groups, k: model.routing.groupsUsed, indices: chosenGroups)
    for group in 0..<groups
    where !(0..<model.routing.groupsUsed).contains(where: { chosenGroups[$0] == Int32(group) }) {
      (ranked + group * size).update(repeating: -.infinity, count: size)
    }
    return UnsafePointer(ranked)
  }

  /// How a group ranks: by its best expert where weights come from a softmax, else by the sum of its two best.
  private func groupScore(_ scores: UnsafePointer<Float>, _ count: Int) -> Float {
    var (best, second) = (-Float.infinity, -Float.infinity)
    for index in 0..<count {
      if scores[index] > best {
        (best, second) = (scores[index], best)
      } else if scores[index] > second {
        second = scores[index]
      }
    }
    return model.routing.gating == .sigmoid && count > 1 ? best + second : best
  }
}
