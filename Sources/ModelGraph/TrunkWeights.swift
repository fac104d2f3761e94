import Kernels
import ModelSpec

/// Weights of one layer's trunk, block by block.
struct TrunkWeights {
  let attentionNorm: UnsafePointer<Float>
  let attention: AttentionWeights
  let feedForwardNorm: UnsafePointer<Float>
  let feedForward: FeedForwardWeights
  /// Divides the rotary frequencies, `[ropeSize / 2]`; the same in every layer.
  let rotaryFactors: UnsafePointer<Float>?

  init?(_ piece: LoadedPiece, _ family: ModelFamily) {
    guard let attentionNorm = piece.vector(.attentionNorm), let feedForwardNorm = piece.vector(.feedForwardNorm),
      let attention = AttentionWeights(piece, family), let feedForward = FeedForwardWeights(piece)
    else { return nil }
    self.attentionNorm = attentionNorm
    self.attention = attention
    self.feedForwardNorm = feedForwardNorm
    self.feedForward = feedForward
    rotaryFactors = piece.vector(.rotaryFactors)
  }
}

/// Weights of a layer's attention.
enum AttentionWeights {
  case grouped(GroupedAttentionWeights)
  case latent(LatentAttentionWeights)

  init?(_ piece: LoadedPiece, _ family: ModelFamily) {
    switch family.attention {
    case .grouped:
      guard let weights = GroupedAttentionWeights(piece) else { return nil }
      self = .grouped(weights)
    case .latent:
      guard let weights = LatentAttentionWeights(piece) else { return nil }
      self = .latent(weights)
    }
  }
}

struct LatentAttentionWeights {
  /// How queries are projected.
  enum Query {
    case direct(WeightMatrix)
    case latent(down: WeightMatrix, norm: UnsafePointer<Float>, up: WeightMatrix)
  }

  let query: Query
  let keyValueDown: WeightMatrix
  let keyValueNorm: UnsafePointer<Float>
  /// `[heads * keyValueRank, query elements that are not rotated]`: the keys' projection, turned to meet the queries.
  let keyUp: WeightMatrix
  /// `[heads * valueHeadSize, keyValueRank]`
  let valueUp: WeightMatrix
  let output: WeightMatrix

  init?(_ piece: LoadedPiece) {
    guard let keyValueDown = piece.matrix(.keyValueDown), let keyValueNorm = piece.vector(.keyValueDownNorm),
      let keyUp = piece.matrix(.keyUp), let valueUp = piece.matrix(.valueUp),
      let output = piece.matrix(.attentionOutput)
    else { return nil }
    if let query = piece.matrix(.query) {
      self.query = .direct(query)
    } else if let down = piece.matrix(.queryDown), let norm = piece.vector(.queryDownNorm),
      let up = piece.matrix(.queryUp)
    {
      query = .latent(down: down, norm: norm, up: up)
    } else {
      return nil
    }
    self.keyValueDown = keyValueDown
    self.keyValueNorm = keyValueNorm
    self.keyUp = keyUp
    self.valueUp = valueUp
    self.output = output
  }
}

struct GroupedAttentionWeights {
  let query: WeightMatrix
  let key: WeightMatrix
  let value: WeightMatrix
  let output: WeightMatrix
  let queryNorm: UnsafePointer<Float>?
  let keyNorm: UnsafePointer<Float>?
  let queryBias: UnsafePointer<Float>?
  let keyBias: UnsafePointer<Float>?
  let valueBias: UnsafePointer<Float>?
  let outputBias: UnsafePointer<Float>?
  /// A score for each query head that no position has.
  let sinks: UnsafePointer<Float>?

  init?(_ piece: LoadedPiece) {
    guard let query = piece.matrix(.query), let key = piece.matrix(.key), let value = piece.matrix(.value),
      let output = piece.matrix(.attentionOutput)
    else { return nil }
    self.query = query
    self.key = key
    self.value = value
    self.output = output
    queryNorm = piece.vector(.queryNorm)
    keyNorm = piece.vector(.keyNorm)
    queryBias = piece.vector(.queryBias)
    keyBias = piece.vector(.keyBias)
    valueBias = piece.vector(.valueBias)
    outputBias = piece.vector(.attentionOutputBias)
    sinks = piece.vector(.sinks)
  }
}

/// What a layer's host computes of its feed-forward block.
enum FeedForwardWeights {
  /// All of it: the layer has no routed experts.
  case dense(GatedWeights)
  case routed(RouterWeights, shared: SharedExpertWeights?)

  init?(_ piece: LoadedPiece) {
    if let router = RouterWeights(piece) {
      self = .routed(router, shared: SharedExpertWeights(piece))
    } else if let dense = GatedWeights(piece, gate: .denseGate, up: .denseUp, down: .denseDown) {
      self = .dense(dense)
    } else {
      return nil
    }
  }
}

/// A gated feed-forward block: down(activation(gate x, up x)).
struct GatedWeights {
  let gate: WeightMatrix
  let up: WeightMatrix
  let down: WeightMatrix

  init?(_ piece: LoadedPiece, gate: TensorRole, up: TensorRole, down: TensorRole) {
    guard let gate = piece.matrix(gate), let up = piece.matrix(up), let down = piece.matrix(down) else { return nil }
    self.gate = gate
    self.up = up
    self.down = down
  }
}

struct RouterWeights {
  let matrix: WeightMatrix
  let bias: UnsafePointer<Float>?
  /// Takes part in the choice, not in the weights.
  let selectionBias: UnsafePointer<Float>?

  init?(_ piece: LoadedPiece) {
    guard let matrix = piece.matrix(.router) else { return nil }
    self.matrix = matrix
    bias = piece.vector(.routerBias)
    selectionBias = piece.vector(.selectionBias)
  }
}

struct SharedExpertWeights {
  let matrices: GatedWeights
  /// One row; the sigmoid of its product says how much of the expert is taken.
  let gate: WeightMatrix?

  init?(_ piece: LoadedPiece) {
    guard let matrices = GatedWeights(piece, gate: .sharedGate, up: .sharedUp, down: .sharedDown) else { return nil }
    self.matrices = matrices
    gate = piece.matrix(.sharedExpertGate)
  }
}

/// Weights of one routed expert.
struct ExpertWeights {
  let matrices: GatedWeights
  let gateBias: UnsafePointer<Float>?
  let upBias: UnsafePointer<Float>?
  let downBias: UnsafePointer<Float>?

  init?(_ piece: LoadedPiece) {
    guard let matrices = GatedWeights(piece, gate: .expertGate, up: .expertUp, down: .expertDown) else { return nil }
    self.matrices = matrices
    gateBias = piece.vector(.expertGateBias)
    upBias = piece.vector(.expertUpBias)
    downBias = piece.vector(.expertDownBias)
  }
}
