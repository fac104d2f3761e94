/// What a tensor does in the model, independent of how a family's file names it.
public enum TensorRole: String, Sendable, Hashable, CaseIterable {
  // Whole model.
  case tokenEmbedding = "token_embd"
  case outputNorm = "output_norm"
  case output
  // One layer's trunk.
  case attentionNorm = "attn_norm"
  case query = "attn_q"
  case key = "attn_k"
  case value = "attn_v"
  case attentionOutput = "attn_output"
  case queryNorm = "attn_q_norm"
  case keyNorm = "attn_k_norm"
  case feedForwardNorm = "ffn_norm"
  case router = "ffn_gate_inp"
  // Routed experts, stacked: dimension 2 counts the experts.
  case expertGate = "ffn_gate_exps"
  case expertUp = "ffn_up_exps"
  case expertDown = "ffn_down_exps"

  /// The routed experts' tensors, in the order in which they stand in a piece.
  public static let expertRoles: [TensorRole] = [.expertGate, .expertUp, .expertDown]

  /// Name in the file: `output_norm.weight`, `blk.3.attn_q.weight`.
  public func tensorName(layer: Int? = nil) -> String {
    if let layer { "blk.\(layer).\(rawValue).weight" } else { "\(rawValue).weight" }
  }

  /// Dimensions the tensor must have, in ggml order (the contiguous one first).
  func dimensions(_ model: Hyperparameters) -> [Int] {
    let queryWidth = model.headCount * model.keyHeadSize
    let hidden = model.hiddenSize
    return switch self {
    case .tokenEmbedding, .output: [hidden, model.vocabularySize]
    case .outputNorm, .attentionNorm, .feedForwardNorm: [hidden]
    case .query: [hidden, queryWidth]
    case .key: [hidden, model.keyValueHeadCount * model.keyHeadSize]
    case .value: [hidden, model.keyValueHeadCount * model.valueHeadSize]
    case .attentionOutput: [model.headCount * model.valueHeadSize, hidden]
    case .queryNorm, .keyNorm: [model.keyHeadSize]
    case .router: [hidden, model.expertCount]
    case .expertGate, .expertUp: [hidden, model.expertWidth, model.expertCount]
    case .expertDown: [model.expertWidth, hidden, model.expertCount]
    }
  }

  /// Norm weights are read as plain float32.
  var mustBeFloat32: Bool {
    switch self {
    case .outputNorm, .attentionNorm, .queryNorm, .keyNorm, .feedForwardNorm: true
    default: false
    }
  }
}
