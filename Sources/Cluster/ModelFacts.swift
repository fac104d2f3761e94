public import ModelSpec
public import Tensors

/// What a placement must know of the model.
public struct ModelFacts: Sendable, Hashable {
  /// Routed experts of each layer; 0 for a layer without.
  public let expertCounts: [Int]
  /// Positions that the model was made for.
  public let contextLength: Int
  /// Whether the output projection is the embedding matrix, so that the last host needs that as well.
  public let outputUsesEmbedding: Bool

  /// The facts themselves, for models that have not been read.
  public init(expertCounts: [Int], contextLength: Int, outputUsesEmbedding: Bool) {
    self.expertCounts = expertCounts
    self.contextLength = contextLength
    self.outputUsesEmbedding = outputUsesEmbedding
  }

  /// Layers of the model.
  public var layerCount: Int { expertCounts.count }
  /// All layers of the model.
  public var layers: Range<LayerIndex> { 0..<LayerIndex(layerCount) }

  /// Routed experts of a layer; 0 if it has none or does not exist.
  public func expertCount(_ layer: LayerIndex) -> Int {
    expertCounts.indices.contains(layer.rawValue) ? expertCounts[layer.rawValue] : 0
  }

  /// The most routed experts that a layer among these has; layers that do not exist have none.
  public func expertCountMax(_ layers: Range<LayerIndex>) -> Int {
    let existing = layers.clamped(to: self.layers)
    return expertCounts[existing.lowerBound.rawValue..<existing.upperBound.rawValue].max() ?? 0
  }
}

extension ModelFacts {
  /// What a placement must know of a model that has been read.
  public init(_ spec: ModelSpec) {
    self.init(
      expertCounts: spec.layers.map { spec.requiresExperts($0) ? spec.hyperparameters.expertCount : 0 },
      contextLength: spec.hyperparameters.contextLength, outputUsesEmbedding: spec.outputUsesEmbedding)
  }
}
