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
        throw ModelSpecError(.missingTensor, "the model has no tensor \(name)\(advice(role, layer: layer))")
      }
      return false
    }
    let shape = role.dimensions(model, family)
    let isSame = Self.withoutTrailingOnes(tensor.dimensions) == Self.withoutTrailingOnes(shape)
    guard isSame, tensor.dimensions.count <= shape.count else {
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

  /// What to do about experts that are stored in another way.
  private func advice(_ role: TensorRole, layer: Int?) -> String {
    guard role == .expertGate, let layer else { return "" }
    let others = ["blk.\(layer).ffn_gate.0.weight", "blk.\(layer).ffn_gate_up_exps.weight"]
    guard let found = others.first(where: { file.tensor($0) != nil }) else { return "" }
    return " but \(found): its experts are stored in another way; convert it again with a current "
      + "convert_hf_to_gguf.py, without fusing gate and up"
  }

  /// Refuses a file with tensors that nothing has asked for: a model without them would answer, and wrongly.
  /// - Throws: `ModelSpecError` naming the first.
  func requireNoOthers() throws(ModelSpecError) {
    let known = Set(names)
    guard let other = file.tensors.first(where: { !known.contains($0.name) && !isIdle($0.name) }) else { return }
    throw ModelSpecError(
      .unknownTensor,
      "the model has the tensor \(other.name), which this version does not know of the family \(family.name); it would "
        + "answer wrongly without it")
  }

  /// Whether a tensor takes no part: those of layers that predict further tokens, and what others stand for.
  private func isIdle(_ name: String) -> Bool {
    let parts = name.split(separator: ".")
    guard parts.count > 2, parts[0] == "blk", let layer = Int(parts[1]) else { return false }
    return layer >= model.layerCount || (parts[2] == "attn_kv_b" && family.attention == .latent)
      || parts[2] == "attn_rot_embd"
  }

  /// Writers leave out trailing dimensions of 1, such as that of a single expert.
  private static func withoutTrailingOnes(_ dimensions: [Int]) -> [Int] {
    dimensions.count > 1 && dimensions.last == 1 ? withoutTrailingOnes(dimensions.dropLast()) : dimensions
  }
}
