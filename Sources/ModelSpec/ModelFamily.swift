/// A model family as a row of data: which blocks its layers are made of and how they are joined.
public struct ModelFamily: Sendable, Hashable {
  /// Whether something is in the family's files.
  public enum Presence: Sendable, Hashable {
    case never
    /// In some files: used when it is there.
    case optional
    case always
  }

  /// How a layer attends.
  public enum Attention: Sendable, Hashable {
    /// Query heads share the keys and values of their group.
    case grouped(GroupedAttention)
    /// All heads share one narrow vector that stands for keys and values alike.
    case latent
  }

  /// Which elements of a head are rotated together.
  public enum Rotation: Sendable, Hashable {
    /// Element i with element i + half of the rotated size.
    case halves
    /// Element 2i with element 2i + 1.
    case neighbours
  }

  /// How a family's files state YaRN's magnitudes.
  public enum Yarn: Sendable, Hashable {
    /// `yarn_log_multiplier` is what scores are divided by again (`mscale_all_dim`); cosines and sines have 1 (`mscale`).
    case standard
    /// `yarn_log_multiplier` is a tenth of `mscale_all_dim`. Cosines and sines have 1 where that is 1 or missing, and
    /// otherwise the same: so are the published models, and files do not say.
    case deepSeek
  }

  /// What stands between the projections of a feed-forward block.
  public enum Activation: Sendable, Hashable {
    /// silu(gate) * up.
    case swiGLU
    /// The same with the gate clamped to at most `limit` and up to within `limit` of 0, the gate scaled by `alpha` inside its sigmoid, and 1 added to up.
    case clampedSwiGLU(alpha: Float, limit: Float)
  }

  /// What every row goes through beside the routed experts of a layer.
  public enum SharedExpert: Sendable, Hashable {
    case never
    case plain
    /// Its output is multiplied with the sigmoid of a product of its own.
    case gated
  }

  /// The value of `general.architecture`.
  public let name: String
  public let attention: Attention
  public let rotation: Rotation
  /// Factors of the rotary frequencies, `rope_freqs.weight`.
  public let rotaryFactors: Presence
  public let yarn: Yarn
  public let activation: Activation
  /// Whether there are routed experts; where a file says 0 or nothing, all layers are dense.
  public let experts: Presence
  /// What the router does unless the file says otherwise.
  public let router: Router
  public let expertBiases: Presence
  public let sharedExpert: SharedExpert
  /// Tensors that the family's files name in another way than `TensorRole`.
  public let names: [TensorRole: String]

  public init(
    name: String, attention: Attention, rotation: Rotation = .halves, rotaryFactors: Presence = .never,
    yarn: Yarn = .standard, activation: Activation = .swiGLU, experts: Presence = .always, router: Router,
    expertBiases: Presence = .never,
    sharedExpert: SharedExpert = .never, names: [TensorRole: String] = [:]
  ) {
    self.name = name
    self.attention = attention
    self.rotation = rotation
    self.rotaryFactors = rotaryFactors
    self.yarn = yarn
    self.activation = activation
    self.experts = experts
    self.router = router
    self.expertBiases = expertBiases
    self.sharedExpert = sharedExpert
    self.names = names
  }
}

/// Grouped-query attention as a family has it.
public struct GroupedAttention: Sendable, Hashable {
  /// What an RMS norm of queries and keys, before rotation, goes over.
  public enum Norm: Sendable, Hashable {
    /// Each head by itself.
    case head
    /// All heads of the projection together.
    case projection
  }

  public let norm: Norm
  public let norms: ModelFamily.Presence
  /// Biases of the query, key and value projections.
  public let inputBiases: ModelFamily.Presence
  public let outputBias: ModelFamily.Presence
  /// A score for each head that no position has, with a value of zero.
  public let sinks: ModelFamily.Presence
  /// Whether some layers see only the last positions; the file says how many.
  public let windows: Bool

  public init(
    norm: Norm = .head, norms: ModelFamily.Presence = .never, inputBiases: ModelFamily.Presence = .never,
    outputBias: ModelFamily.Presence = .never, sinks: ModelFamily.Presence = .never, windows: Bool = false
  ) {
    self.norm = norm
    self.norms = norms
    self.inputBiases = inputBiases
    self.outputBias = outputBias
    self.sinks = sinks
    self.windows = windows
  }
}

/// How the routed experts of a token are chosen and weighted.
public struct Router: Sendable, Hashable {
  /// What makes weights of scores.
  public enum Gating: Sendable, Hashable {
    /// Softmax over all experts.
    case softmax
    /// The sigmoid of each score.
    case sigmoid
    /// Softmax over the scores of the chosen experts.
    case softmaxOfChosen
  }

  public let gating: Gating
  /// Whether the chosen weights are divided by their sum.
  public let isNormalised: Bool
  /// A bias of the scores.
  public let bias: ModelFamily.Presence
  /// A bias that takes part in the choice but not in the weights.
  public let selectionBias: ModelFamily.Presence

  public init(
    gating: Gating, isNormalised: Bool, bias: ModelFamily.Presence = .never,
    selectionBias: ModelFamily.Presence = .never
  ) {
    self.gating = gating
    self.isNormalised = isNormalised
    self.bias = bias
    self.selectionBias = selectionBias
  }
}
