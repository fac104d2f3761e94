import Kernels
public import ModelSpec
public import Tensors

/// The weights one node holds, piece by piece; confined to the engine's thread.
public final class Shard {
  private(set) var embedding: WeightMatrix?
  private(set) var output: WeightMatrix?
  private(set) var outputNorm: UnsafePointer<Float>?
  private var trunks: [TrunkWeights?]
  /// For each layer its experts by index; empty for a layer of which none is held.
  private var experts: [[ExpertWeights?]]
  private let family: ModelFamily
  private let expertCount: Int
  private(set) var pieces: [PieceID: LoadedPiece] = [:]
  private let outputUsesEmbedding: Bool

  public init(spec: ModelSpec) {
    let model = spec.hyperparameters
    trunks = Array(repeating: nil, count: model.layerCount)
    experts = Array(repeating: [], count: model.layerCount)
    family = spec.family
    expertCount = model.expertCount
    outputUsesEmbedding = spec.outputUsesEmbedding
  }

  /// Adds a piece; its memory must stay valid until `remove(_:)`.
  public func insert(_ piece: LoadedPiece) {
    pieces[piece.layout.id] = piece
    switch piece.layout.id {
    case .header: break
    case .embedding:
      embedding = piece.matrix(.tokenEmbedding)
      if outputUsesEmbedding { output = embedding }
    case .output:
      outputNorm = piece.vector(.outputNorm)
      if !outputUsesEmbedding { output = piece.matrix(.output) }
    case .trunk(let layer): trunks[layer.rawValue] = TrunkWeights(piece, family)
    case .expert(let layer, let expert):
      if experts[layer.rawValue].isEmpty { experts[layer.rawValue] = Array(repeating: nil, count: expertCount) }
      experts[layer.rawValue][expert.rawValue] = ExpertWeights(piece)
    }
  }

  /// Takes a piece out and returns it, so that its memory can be given back.
  public func remove(_ id: PieceID) -> LoadedPiece? {
    guard let piece = pieces.removeValue(forKey: id) else { return nil }
    switch id {
    case .header: break
    case .embedding:
      embedding = nil
      if outputUsesEmbedding { output = nil }
    case .output:
      outputNorm = nil
      if !outputUsesEmbedding { output = nil }
    case .trunk(let layer): trunks[layer.rawValue] = nil
    case .expert(let layer, let expert): experts[layer.rawValue][expert.rawValue] = nil
    }
    return piece
  }

  /// Whether this node holds an expert.
  public func holds(_ expert: ExpertIndex, of layer: LayerIndex) -> Bool {
    experts.indices.contains(layer.rawValue) && experts[layer.rawValue].indices.contains(expert.rawValue)
      && experts[layer.rawValue][expert.rawValue] != nil
  }

  func trunk(_ layer: LayerIndex) throws(ModelGraphError) -> TrunkWeights {
    guard let trunk = trunks[layer.rawValue] else {
      throw ModelGraphError(.missingWeights, "the trunk of layer \(layer) is not on this node")
    }
    return trunk
  }

  func expert(_ expert: Int, of layer: LayerIndex) throws(ModelGraphError) -> ExpertWeights {
    guard experts[layer.rawValue].indices.contains(expert), let weights = experts[layer.rawValue][expert] else {
      throw ModelGraphError(.missingWeights, "expert \(expert) of layer \(layer) is not on this node")
    }
    return weights
  }
}
