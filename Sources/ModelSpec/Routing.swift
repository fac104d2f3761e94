/// How a model's experts are chosen: its family's router with what the file says.
public struct Routing: Sendable, Hashable {
  public let gating: Router.Gating
  /// Whether the chosen weights are divided by their sum.
  public let isNormalised: Bool
  /// Factor of the chosen weights, after all else.
  public let scale: Float
  /// Groups of neighbouring experts, of equal size.
  public let groupCount: Int
  /// Groups that a token's experts may be chosen from.
  public let groupsUsed: Int

  /// Reads `expert_gating_func`, `expert_weights_norm`, `expert_weights_scale` and `expert_group_*`.
  /// - Throws: `ModelSpecError` naming the key.
  init(
    _ keys: KeyReader, _ router: Router, hasSelectionBias: Bool, expertCount: Int, expertsPerToken: Int
  ) throws(ModelSpecError) {
    switch try keys.integer("expert_gating_func", in: 0...3, default: 0) {
    case 1: gating = .softmax
    case 2: gating = .sigmoid
    case 3: gating = .softmaxOfChosen
    // Selection biases go with sigmoids; files of GLM-4.7-Flash have one and do not say which.
    default: gating = hasSelectionBias ? .sigmoid : router.gating
    }
    isNormalised = try keys.bool("expert_weights_norm", default: router.isNormalised)
    let scale = try keys.float("expert_weights_scale", in: 0...1e6, default: 1)
    // Writers put 0 where there is no scale.
    self.scale = scale == 0 ? 1 : Float(scale)
    let groupCount = try keys.integer("expert_group_count", in: 0...65_535, default: 1)
    self.groupCount = max(1, groupCount)
    groupsUsed = max(1, try keys.integer("expert_group_used_count", in: 0...65_535, default: self.groupCount))
    try check(keys, expertCount, expertsPerToken)
  }

  private func check(_ keys: KeyReader, _ expertCount: Int, _ expertsPerToken: Int) throws(ModelSpecError) {
    guard expertCount > 0, groupCount > 1 else { return }
    try keys.require(
      expertCount % groupCount == 0, "expert_group_count",
      "is \(groupCount), which does not divide the \(expertCount) experts")
    try keys.require(
      groupsUsed <= groupCount, "expert_group_used_count", "is \(groupsUsed), more than the \(groupCount) groups")
    let selectable = expertCount / groupCount * groupsUsed
    try keys.require(
      expertsPerToken <= selectable, "expert_used_count",
      "is \(expertsPerToken), more than the \(selectable) experts of \(groupsUsed) groups")
  }
}
