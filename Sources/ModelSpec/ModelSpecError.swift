/// A model file that is well-formed GGUF but not a model this version can run.
public struct ModelSpecError: Error, Sendable, CustomStringConvertible {
  /// What kind of thing is wrong.
  public enum Code: Sendable, Hashable {
    /// The family (`general.architecture`) is not in the table.
    case unsupportedFamily
    /// A tensor's quant type has no kernel.
    case unsupportedType
    /// A hyperparameter is missing, out of range or contradicts another.
    case badHyperparameter
    /// A tensor the family needs is not in the file.
    case missingTensor
    /// A tensor that is in the file is none of the family's.
    case unknownTensor
    /// A tensor has another shape than the hyperparameters say.
    case badShape
    /// Header bytes that came from elsewhere cannot be read.
    case badHeader
  }

  public let code: Code
  /// One sentence: what is wrong, where, and what to do.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
