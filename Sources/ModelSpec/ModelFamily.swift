/// A model family as a row of data: which blocks its layers are made of and how they are joined.
public struct ModelFamily: Sendable, Hashable {
  /// How a layer attends.
  public enum Attention: Sendable, Hashable {
    /// Grouped-query attention; `queryKeyNorm`: an RMS norm on each query and key head before rotation.
    case groupedQuery(queryKeyNorm: Bool)
  }

  /// How the routed experts of a token are chosen and weighted.
  public enum Router: Sendable, Hashable {
    /// Softmax over all experts, the top-k of it; `normalised`: the chosen weights are divided by their sum.
    case softmax(normalised: Bool)
  }

  /// Which elements of a head are rotated together.
  public enum Rotation: Sendable, Hashable {
    /// Element i with element i + half of the rotated size.
    case halves
    /// Element 2i with element 2i + 1.
    case neighbours
  }

  /// The value of `general.architecture`.
  public let name: String
  public let attention: Attention
  public let router: Router
  public let rotation: Rotation

  /// Every family this version runs.
  public static let all: [ModelFamily] = [
    ModelFamily(
      name: "qwen3moe", attention: .groupedQuery(queryKeyNorm: true), router: .softmax(normalised: true),
      rotation: .halves)
  ]

  /// Trunk tensors of a layer, in the order in which they stand in the layer's piece.
  public var trunkRoles: [TensorRole] {
    let attentionRoles: [TensorRole] =
      switch attention {
      case .groupedQuery(queryKeyNorm: true):
        [.attentionNorm, .query, .key, .value, .queryNorm, .keyNorm, .attentionOutput]
      case .groupedQuery(queryKeyNorm: false):
        [.attentionNorm, .query, .key, .value, .attentionOutput]
      }
    return attentionRoles + [.feedForwardNorm, .router]
  }
}
