public import Tensors

/// Name of a piece of weights: the unit that is stored, hashed, sent and loaded.
public enum PieceID: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The GGUF headers of all files (metadata and tensor directory), as `ModelSpec.encodeHeaders` writes them.
  case header
  /// The token embedding matrix.
  case embedding
  /// All tensors of one layer but its routed experts: attention, norms, router, shared experts.
  case trunk(LayerIndex)
  /// One routed expert of one layer.
  case expert(LayerIndex, ExpertIndex)
  /// Final norm and output projection.
  case output

  public var description: String {
    switch self {
    case .header: "header"
    case .embedding: "embedding"
    case .trunk(let layer): "trunk of layer \(layer)"
    case .expert(let layer, let expert): "expert \(expert) of layer \(layer)"
    case .output: "output"
    }
  }
}
