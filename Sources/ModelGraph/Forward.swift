public import Kernels
public import ModelSpec
public import Tensors

/// The forward pass of one node: the blocks, the weights it holds, and scratch memory. Confined to the engine's thread.
///
/// A pass is advanced layer by layer: `trunk` (attention and routing), then the experts, here (`computeExperts`) or on
/// other nodes, which add their partial sums to the pass, and the shared expert (`addSharedExpert`), then `finishLayer`.
/// A layer without routed experts is done with its `trunk`.
public final class Forward {
  public let spec: ModelSpec
  public let shard: Shard
  public let kernels: Kernels
  public let combine: CombineMode
  let team: ThreadTeam
  let meter: WorkMeter
  let model: Hyperparameters
  let workspace: Workspace
  let latentWorkspace: LatentWorkspace?
  private var rotary: RotaryTable?
  let expertBlock: ExpertBlock
  /// For each layer the forms in which its experts take their input.
  public let expertForms: [[ActivationForm]]

  /// - Parameters:
  ///   - rowCapacity: most rows of a pass, and of a request for experts.
  ///   - meter: told which part of a layer is computed.
  public init(
    spec: ModelSpec, shard: Shard, kernels: Kernels, team: ThreadTeam, combine: CombineMode, rowCapacity: Int,
    meter: WorkMeter = WorkMeter()
  ) {
    self.spec = spec
    self.shard = shard
    self.kernels = kernels
    self.team = team
    self.meter = meter
    self.combine = combine
    model = spec.hyperparameters
    workspace = Workspace(model, rowCapacity: rowCapacity, threads: team.threadCount)
    latentWorkspace = LatentWorkspace(spec.hyperparameters, rowCapacity: rowCapacity)
    expertForms = spec.layers.map { spec.expertInputForms($0) }
    expertBlock = ExpertBlock(model, kernels: kernels, team: team, rowCapacity: rowCapacity)
  }

  /// Bytes of scratch memory that a forward pass takes, whatever the node holds.
  public static func scratchBytes(_ model: Hyperparameters, rowCapacity: Int, threads: Int) -> Int {
    Workspace.byteCount(model, rowCapacity: rowCapacity, threads: threads)
      + LatentWorkspace.byteCount(model, rowCapacity: rowCapacity)
      + ExpertBlock.byteCount(model, rowCapacity: rowCapacity, threads: threads)
  }

  /// Writes the embeddings of tokens into the pass' residual rows, from `row` on.
  /// - Throws: `ModelGraphError` for a token outside the vocabulary.
  public func embed(_ tokens: some Sequence<TokenID>, into pass: Pass, row: Int) throws(ModelGraphError) {
    guard let embedding = shard.embedding else {
      throw ModelGraphError(.missingWeights, "the token embedding is not on this node")
    }
    var row = row
    for token in tokens {
      guard Int(token.rawValue) < model.vocabularySize else {
        throw ModelGraphError(
          .badToken, "token \(token) is outside the vocabulary of \(model.vocabularySize) tokens")
      }
      kernels.dequantizeRow(embedding, row: Int(token.rawValue), output: pass.residual(row))
      row += 1
    }
  }

  /// Prepares what all layers of the pass share: the rotation angles of its rows.
  /// - Throws: `ModelGraphError` when the angles come from weights that are not here or are no numbers.
  public func begin(_ pass: Pass) throws(ModelGraphError) {
    if rotary == nil {
      let factors = spec.family.rotaryFactors == .never ? nil : try shard.trunk(pass.layer).rotaryFactors
      rotary = try RotaryTable(model, factors: factors)
    }
    guard let rotary else { return }
    let pairs = model.ropeSize / 2
    for row in 0..<pass.rowCount {
      rotary.fill(
        position: pass.positions[row], cosines: pass.cosines + row * pairs, sines: pass.sines + row * pairs)
    }
  }

  /// The trunk of the pass' current layer: attention, and of the feed-forward block what is the host's.
  ///
  /// In a layer with routed experts the pass awaits them afterwards; `addSharedExpert` is still to be called. A layer
  /// without is done, and the next one is current.
  /// - Parameter kv: how the KV blocks of the pass' sequences are laid out.
  /// - Returns: what the experts need, valid until the next piece of work on this node; nil in a layer without.
  public func trunk(_ pass: Pass, kv: KVLayout) throws(ModelGraphError) -> RoutedRows? {
    meter.enter(.attention)
    let weights = try shard.trunk(pass.layer)
    try norm(pass, weights.attentionNorm, into: weights.attention.inputForms)
    switch weights.attention {
    case .grouped(let attention): try attend(pass, attention, kv)
    case .latent(let attention): try attend(pass, attention, kv)
    }
    switch weights.feedForward {
    case .dense(let matrices):
      meter.enter(.experts)
      try feedDense(pass, weights, matrices)
      pass.layer = pass.layer.advanced(by: 1)
      return nil
    case .routed(let router, _):
      meter.enter(.router)
      let routed = try route(pass, weights, router)
      pass.accumulators.update(repeating: 0, count: pass.rowCount * model.hiddenSize)
      pass.awaitsExperts = true
      return routed
    }
  }

  /// Adds the summed expert outputs to the residual, once all partial sums are in; the next layer is then current.
  public func finishLayer(_ pass: Pass) {
    precondition(pass.awaitsExperts, "no experts awaited")
    for row in 0..<pass.rowCount {
      kernels.addAccumulated(
        pass.accumulators + row * model.hiddenSize, exponent: pass.exponents[row], count: model.hiddenSize,
        to: pass.residual(row))
    }
    pass.awaitsExperts = false
    pass.layer = pass.layer.advanced(by: 1)
  }

  /// Logits of chosen rows of a pass that is through all layers.
  /// - Parameters:
  ///   - rows: row indices, ascending.
  ///   - logits: `[rows.count, vocabularySize]`.
  public func logits(
    _ pass: Pass, rows: [Int], into logits: UnsafeMutablePointer<Float>
  ) throws(ModelGraphError) {
    guard let norm = shard.outputNorm, let output = shard.output else {
      throw ModelGraphError(.missingWeights, "the output projection is not on this node")
    }
    let form = form(of: output)
    let stride = form.rowStride(elements: model.hiddenSize)
    let activations = workspace.activations(form)
    for (index, row) in rows.enumerated() {
      kernels.rmsNorm(
        input: pass.residual(row), weight: norm, epsilon: model.normEpsilon, count: model.hiddenSize,
        output: workspace.normed)
      guard
        kernels.prepareActivations(
          form, input: workspace.normed, elements: model.hiddenSize, row: activations + index * stride)
      else { throw ModelGraphError(.notFinite, "the final hidden state holds a value that is not finite") }
    }
    multiply(output, activations, stride, rows.count, into: logits, outputStride: model.vocabularySize)
  }
}
