extension ModelFamily {
  /// Every family this version runs.
  public static let all: [ModelFamily] = [
    ModelFamily(
      name: "qwen3moe", attention: .grouped(GroupedAttention(hasNorm: .always)),
      router: Router(gating: .softmax, isNormalised: true)),
    ModelFamily(
      name: "deepseek2", attention: .latent, rotation: .neighbours, logMultiplierUnit: 0.1,
      router: Router(gating: .softmax, isNormalised: false, selectionBias: .optional), sharedExpert: .plain),
  ]
}
