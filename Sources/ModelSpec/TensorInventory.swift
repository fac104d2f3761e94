import GGUF
import Tensors

/// Finds the tensors that a model is made of in its file, and checks their shapes.
struct TensorInventory {
  let family: ModelFamily
  let model: Hyperparameters
  let file: GGUFFile
  /// Names of those found.
  private(set) var names: [String] = []

  init(family: ModelFamily, model: Hyperparameters, file: GGUFFile) {
    self.family = family
    self.model = model
    self.file = file
  }

  /// Looks for some tensors.
  /// - Returns: the roles of those that are there, in order.
  /// - Throws: `ModelSpecError` naming a tensor that is missing, or has another shape or type than it must have.
  @discardableResult
  mutating func add(_ expected: [ExpectedTensor], layer: Int?) throws(ModelSpecError) -> [TensorRole] {
    var roles: [TensorRole] = []
    for tensor in expected where try find(tensor, layer: layer) { roles.append(tensor.role) }
    return roles
  }

  private mutating func find(_ expected: ExpectedTensor, layer: Int?) throws(ModelSpecError) -> Bool {
    let role = expected.role
    let name = family.tensorName(role, layer: layer)
    guard let tensor = file.tensor(name) else {
      guard !expected.isRequired else {
        throw ModelSpecError(.missingTensor, "the model has no tensor \(name)")
      }
      return false
    }
    let shape = role.dimensions(model, family)
    guard Self.withoutTrailingOnes(tensor.dimensions) == Self.withoutTrailingOnes(shape) else {
      throw ModelSpecError(
        .badShape, "the tensor \(name) has the shape \(tensor.dimensions); the hyperparameters say \(shape)")
    }
    guard !role.isVector || tensor.type == .f32 else {
      throw ModelSpecError(
        .unsupportedType, "the tensor \(name) is \(tensor.type.name); norms and biases must be F32")
    }
    names.append(name)
    return true
  }

  /// Writers leave out trailing dimensions of 1, such as that of a single expert.
  private static func withoutTrailingOnes(_ dimensions: [Int]) -> [Int] {
    dimensions.count > 1 && dimensions.last == 1 ? withoutTrailingOnes(dimensions.dropLast()) : dimensions
  }
}
