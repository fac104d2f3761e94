/// What a tensor does in the model, independent of how a family's file names it; the raw value is the name most files
/// use, without `.weight`.
public enum TensorRole: String, Sendable, Hashable, CaseIterable {
  // Whole model.
  case tokenEmbedding = "token_embd"
  case outputNorm = "output_norm"
  case output
  /// Divides the rotary frequencies, one factor for each pair; every layer's trunk holds a copy.
  case rotaryFactors = "rope_freqs"
  // One layer's attention.
  case attentionNorm = "attn_norm"
  case query = "attn_q"
  case key = "attn_k"
  case value = "attn_v"
  case attentionOutput = "attn_output"
  case queryNorm = "attn_q_norm"
  case keyNorm = "attn_k_norm"
  case queryBias = "attn_q.bias"
  case keyBias = "attn_k.bias"
  case valueBias = "attn_v.bias"
  case attentionOutputBias = "attn_output.bias"
  case sinks = "attn_sinks"
  // Latent attention: down to a narrow vector, its norm, up to the heads.
  case queryDown = "attn_q_a"
  case queryDownNorm = "attn_q_a_norm"
  case queryUp = "attn_q_b"
  case keyValueDown = "attn_kv_a_mqa"
  case keyValueDownNorm = "attn_kv_a_norm"
  case keyUp = "attn_k_b"
  case valueUp = "attn_v_b"
  // One layer's feed-forward block, as far as it is the host's.
  case feedForwardNorm = "ffn_norm"
  case denseGate = "ffn_gate"
  case denseUp = "ffn_up"
  case denseDown = "ffn_down"
  case router = "ffn_gate_inp"
  case routerBias = "ffn_gate_inp.bias"
  case selectionBias = "exp_probs_b.bias"
  case sharedGate = "ffn_gate_shexp"
  case sharedUp = "ffn_up_shexp"
  case sharedDown = "ffn_down_shexp"
  /// The one row whose product with a hidden state says how much of the shared expert is taken.
  case sharedExpertGate = "ffn_gate_inp_shexp"
  // Routed experts, stacked: the last dimension counts the experts.
  case expertGate = "ffn_gate_exps"
  case expertUp = "ffn_up_exps"
  case expertDown = "ffn_down_exps"
  case expertGateBias = "ffn_gate_exps.bias"
  case expertUpBias = "ffn_up_exps.bias"
  case expertDownBias = "ffn_down_exps.bias"

  /// Name in the files of most families: `output_norm.weight`, `blk.3.attn_q.weight`, `blk.3.attn_q.bias`.
  public func tensorName(layer: Int? = nil) -> String { tensorName(stem: rawValue, layer: layer) }

  /// - Parameter stem: as the raw values are.
  func tensorName(stem: String, layer: Int?) -> String {
    let name = stem.contains(".") ? stem : stem + ".weight"
    guard let layer, !isGlobal else { return name }
    return "blk.\(layer).\(name)"
  }

  /// Whether the tensor is one for the whole model.
  var isGlobal: Bool {
    switch self {
    case .tokenEmbedding, .outputNorm, .output, .rotaryFactors: true
    default: false
    }
  }

  /// Dimensions the tensor must have, in ggml order (the contiguous one first).
  func dimensions(_ model: Hyperparameters, _ family: ModelFamily) -> [Int] {
    let hidden = model.hiddenSize
    return switch self {
    case .tokenEmbedding, .output: [hidden, model.vocabularySize]
    case .outputNorm, .attentionNorm, .feedForwardNorm, .attentionOutputBias: [hidden]
    case .rotaryFactors: [model.ropeSize / 2]
    case .query, .key, .value, .attentionOutput, .queryNorm, .keyNorm, .queryBias, .keyBias, .valueBias, .sinks:
      attentionDimensions(model, family)
    case .queryDown, .queryDownNorm, .queryUp, .keyValueDown, .keyValueDownNorm, .keyUp, .valueUp:
      latentDimensions(model)
    case .denseGate, .denseUp: [hidden, model.denseWidth]
    case .denseDown: [model.denseWidth, hidden]
    case .router: [hidden, model.expertCount]
    case .routerBias, .selectionBias: [model.expertCount]
    case .sharedGate, .sharedUp: [hidden, model.sharedWidth]
    case .sharedDown: [model.sharedWidth, hidden]
    case .sharedExpertGate: [hidden, 1]
    case .expertGate, .expertUp: [hidden, model.expertWidth, model.expertCount]
    case .expertDown: [model.expertWidth, hidden, model.expertCount]
    case .expertGateBias, .expertUpBias: [model.expertWidth, model.expertCount]
    case .expertDownBias: [hidden, model.expertCount]
    }
  }

  private func latentDimensions(_ model: Hyperparameters) -> [Int] {
    guard let latent = model.latent else { return [] }
    let queryRank = latent.queryRank ?? 0
    return switch self {
    case .queryDown: [model.hiddenSize, queryRank]
    case .queryDownNorm: [queryRank]
    case .queryUp: [queryRank, model.headCount * latent.queryHeadSize]
    case .keyValueDown: [model.hiddenSize, model.keyHeadSize]
    case .keyValueDownNorm: [latent.keyValueRank]
    case .keyUp: [latent.queryHeadSize - model.ropeSize, latent.keyValueRank, model.headCount]
    default: [latent.keyValueRank, latent.valueHeadSize, model.headCount]
    }
  }

  private func attentionDimensions(_ model: Hyperparameters, _ family: ModelFamily) -> [Int] {
    let hidden = model.hiddenSize
    let queries = model.headCount * (model.latent?.queryHeadSize ?? model.keyHeadSize)
    let keys = model.keyValueHeadCount * model.keyHeadSize
    let values = model.keyValueHeadCount * model.valueHeadSize
    let normsProjection = family.attention.normsProjection
    return switch self {
    case .query: [hidden, queries]
    case .key: [hidden, keys]
    case .value: [hidden, values]
    case .queryBias: [queries]
    case .keyBias: [keys]
    case .valueBias: [values]
    case .queryNorm: [normsProjection ? queries : model.keyHeadSize]
    case .keyNorm: [normsProjection ? keys : model.keyHeadSize]
    case .sinks: [model.headCount]
    default: [model.headCount * (model.latent?.valueHeadSize ?? model.valueHeadSize), hidden]
    }
  }

  /// Norms, biases, sinks and factors are read as plain float32 vectors, of an expert or of all.
  var isVector: Bool {
    switch self {
    case .outputNorm, .rotaryFactors, .attentionNorm, .queryNorm, .keyNorm, .queryBias, .keyBias, .valueBias,
      .attentionOutputBias, .sinks, .queryDownNorm, .keyValueDownNorm, .feedForwardNorm, .routerBias, .selectionBias,
      .expertGateBias, .expertUpBias,
      .expertDownBias:
      true
    default: false
    }
  }
}

extension ModelFamily.Attention {
  /// Whether queries and keys are normed over all their heads together.
  public var normsProjection: Bool {
    switch self {
    case .grouped(let attention): attention.norm == .projection
    case .latent: false
    }
  }
}
