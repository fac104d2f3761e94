import Tensors

/// A forward pass that cannot go on.
public struct ModelGraphError: Error, Sendable, CustomStringConvertible {
  /// What kind of thing is wrong.
  public enum Code: Sendable, Hashable {
    /// A value is not finite, or too large for the grid of the partial sums.
    case notFinite
    /// A token id outside the vocabulary.
    case badToken
    /// Weights that this node does not hold were asked for.
    case missingWeights
  }

  public let code: Code
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  static func notFinite(_ what: String, layer: LayerIndex) -> ModelGraphError {
    ModelGraphError(
      .notFinite, "\(what) of layer \(layer) holds a value that is not finite or too large; is the model file damaged?")
  }

  public var description: String { message }
}
