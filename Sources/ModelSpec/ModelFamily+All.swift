extension ModelFamily {
  /// Every family this version runs.
  public static let all: [ModelFamily] = [
    ModelFamily(
      name: "qwen3moe", attention: .grouped(GroupedAttention(norms: .always)),
      router: Router(gating: .softmax, isNormalised: true)),
    ModelFamily(
      name: "llama", attention: .grouped(GroupedAttention(inputBiases: .optional, outputBias: .optional)),
      rotation: .neighbours, rotaryFactors: .optional, experts: .optional,
      router: Router(gating: .softmax, isNormalised: true)),
    ModelFamily(
      name: "mistral3", attention: .grouped(GroupedAttention(inputBiases: .optional, outputBias: .optional)),
      rotation: .neighbours, rotaryFactors: .optional, experts: .optional,
      router: Router(gating: .softmax, isNormalised: true)),
    ModelFamily(
      name: "qwen2moe", attention: .grouped(GroupedAttention(inputBiases: .always)),
      router: Router(gating: .softmax, isNormalised: false), sharedExpert: .gated),
    ModelFamily(
      name: "olmoe", attention: .grouped(GroupedAttention(norm: .projection, norms: .always)),
      router: Router(gating: .softmax, isNormalised: false)),
    ModelFamily(
      name: "glm4moe", attention: .grouped(GroupedAttention(norms: .optional, inputBiases: .optional)),
      router: Router(gating: .sigmoid, isNormalised: false, selectionBias: .always), sharedExpert: .plain,
      names: [.feedForwardNorm: "post_attention_norm"]),
    ModelFamily(
      name: "gpt-oss",
      attention: .grouped(
        GroupedAttention(inputBiases: .always, outputBias: .always, sinks: .always, windows: true)),
      activation: .clampedSwiGLU(alpha: 1.702, limit: 7),
      router: Router(gating: .softmaxOfChosen, isNormalised: false, bias: .always), expertBiases: .always,
      names: [.feedForwardNorm: "post_attention_norm"]),
    ModelFamily(
      name: "deepseek2", attention: .latent, rotation: .neighbours, yarn: .deepSeek,
      router: Router(gating: .softmax, isNormalised: false, selectionBias: .optional), sharedExpert: .plain),
  ]
}
