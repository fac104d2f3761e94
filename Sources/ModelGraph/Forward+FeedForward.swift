import Kernels
import ModelSpec
import Tensors

/// Feed-forward blocks that the host computes by itself: those of dense layers, and shared experts.
extension Forward {
  /// The feed-forward block of a layer without routed experts: added to the residual rows.
  func feedDense(_ pass: Pass, _ weights: TrunkWeights, _ matrices: GatedWeights) throws(ModelGraphError) {
    try norm(pass, weights.feedForwardNorm, into: FormSet(matrices.gate).union(FormSet(matrices.up)))
    try feed(pass, matrices, isPrepared: true)
    kernels.add(workspace.projected, to: pass.hidden, count: pass.rowCount * model.hiddenSize)
  }

  /// Adds what the layer's shared expert makes of the normed rows to the residual rows; nothing without one.
  ///
  /// To be called after `trunk`, whose normed rows are still in the workspace, and before `finishLayer`. The rows that
  /// `trunk` has returned are of no use afterwards: the host computes its own routed experts first.
  public func addSharedExpert(_ pass: Pass) throws(ModelGraphError) {
    precondition(pass.awaitsExperts, "the layer's trunk is not done")
    guard case .routed(_, let shared?) = try shard.trunk(pass.layer).feedForward else { return }
    let gates = workspace.routerScores
    try feed(pass, shared.matrices, also: shared.gate.map { Projection($0, gates) }, isPrepared: false)
    let width = model.hiddenSize
    if shared.gate != nil {
      for row in 0..<pass.rowCount {
        guard gates[row].isFinite else {
          throw ModelGraphError.notFinite("the shared expert's gate", layer: pass.layer)
        }
        let share = Kernels.sigmoid(gates[row])
        let output = workspace.projected + row * width
        for index in 0..<width { output[index] *= share }
      }
    }
    kernels.add(workspace.projected, to: pass.hidden, count: pass.rowCount * width)
  }

  /// Down projection of activation(gate, up) of the normed rows, into `projected`.
  /// - Parameters:
  ///   - other: computed along with gate and up.
  ///   - isPrepared: as in `project`.
  private func feed(_ pass: Pass, _ weights: GatedWeights, also other: Projection? = nil, isPrepared: Bool)
    throws(ModelGraphError)
  {
    let (inner, upward) = (workspace.inner, workspace.upward)
    let projections = [Projection(weights.gate, inner), Projection(weights.up, upward)]
    try project(pass, other.map { projections + [$0] } ?? projections, isPrepared: isPrepared)
    let width = weights.gate.rows
    team.parallelFor(count: pass.rowCount, grain: 1) { range, _ in
      for row in range {
        activate(gate: inner + row * width, up: upward + row * width, count: width, output: inner + row * width)
      }
    }
    try projectBack(pass, weights.down, inner, "the feed-forward block")
  }

  /// What the family has between the projections; may work in place.
  func activate(
    gate: UnsafeMutablePointer<Float>, up: UnsafeMutablePointer<Float>, count: Int,
    output: UnsafeMutablePointer<Float>
  ) {
    switch spec.family.activation {
    case .swiGLU: kernels.swiGLU(gate: gate, up: up, count: count, output: output)
    case .clampedSwiGLU(let alpha, let limit):
      kernels.clampedSwiGLU(gate: gate, up: up, alpha: alpha, limit: limit, count: count, output: output)
    }
  }
}
