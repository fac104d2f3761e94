/// A tensor that a family's files have, or may have.
struct ExpectedTensor {
  let role: TensorRole
  /// Whether a file without it is refused.
  let isRequired: Bool
}

extension ModelFamily {
  /// Name of a tensor in the family's files.
  func tensorName(_ role: TensorRole, layer: Int?) -> String {
    role.tensorName(stem: names[role] ?? role.rawValue, layer: layer)
  }

  /// Tensors of a layer's trunk, in the order in which they stand in the layer's piece.
  func trunk(_ layer: Int, _ model: Hyperparameters) -> [ExpectedTensor] {
    let feedForward = model.hasExperts(layer) ? routed(model) : Self.always([.denseGate, .denseUp, .denseDown])
    return Self.always([.attentionNorm]) + attention(model) + Self.always([.feedForwardNorm]) + feedForward
      + Self.expect([.rotaryFactors], rotaryFactors)
  }

  private func attention(_ model: Hyperparameters) -> [ExpectedTensor] {
    switch attention {
    case .latent:
      Self.always(model.latent?.queryRank == nil ? [.query] : [.queryDown, .queryDownNorm, .queryUp])
        + Self.always([.keyValueDown, .keyValueDownNorm, .keyUp, .valueUp, .attentionOutput])
    case .grouped(let attention):
      Self.always([.query, .key, .value]) + Self.expect([.queryNorm, .keyNorm], attention.norms)
        + Self.always([.attentionOutput]) + Self.expect([.queryBias, .keyBias, .valueBias], attention.inputBiases)
        + Self.expect([.attentionOutputBias], attention.outputBias) + Self.expect([.sinks], attention.sinks)
    }
  }

  private func routed(_ model: Hyperparameters) -> [ExpectedTensor] {
    var tensors =
      Self.always([.router]) + Self.expect([.routerBias], router.bias)
      + Self.expect([.selectionBias], router.selectionBias)
    guard model.sharedWidth > 0 else { return tensors }
    tensors += Self.always([.sharedGate, .sharedUp, .sharedDown])
    if sharedExpert == .gated { tensors += Self.always([.sharedExpertGate]) }
    return tensors
  }

  /// Tensors of which each routed expert has a part, in the order in which they stand in its piece.
  var expertTensors: [ExpectedTensor] {
    Self.always([.expertGate, .expertUp, .expertDown])
      + Self.expect([.expertGateBias, .expertUpBias, .expertDownBias], expertBiases)
  }

  private static func always(_ roles: [TensorRole]) -> [ExpectedTensor] { expect(roles, .always) }

  private static func expect(_ roles: [TensorRole], _ presence: Presence) -> [ExpectedTensor] {
    presence == .never ? [] : roles.map { ExpectedTensor(role: $0, isRequired: presence == .always) }
  }
}
