public import GGUF
public import Tensors

/// A model as data: its family, its shapes, and where each tensor lies in the file.
public struct ModelSpec: Sendable {
  public let family: ModelFamily
  public let hyperparameters: Hyperparameters
  /// Whether the output projection is the token embedding (no `output.weight` in the file).
  public let outputUsesEmbedding: Bool
  /// The file's directory: metadata (also the tokenizer's) and tensors.
  public let file: GGUFFile
  /// Names of the tensors that the pieces are made of; shapes checked.
  private let names: [String]

  /// Reads and checks a model.
  /// - Throws: `ModelSpecError` for an unknown family or quant type (with those supported), missing tensors, and
  ///   shapes or hyperparameters that contradict each other.
  public init(file: GGUFFile) throws(ModelSpecError) {
    let name: String
    do {
      name = try file.metadata.string("general.architecture")
    } catch {
      throw ModelSpecError(.badHyperparameter, error.message)
    }
    guard let family = ModelFamily.all.first(where: { $0.name == name }) else {
      let known = ModelFamily.all.map(\.name).joined(separator: ", ")
      throw ModelSpecError(.unsupportedFamily, "the model's family \"\(name)\" is not supported; supported: \(known)")
    }
    self.family = family
    let model = try Hyperparameters(family: name, file: file)
    hyperparameters = model
    outputUsesEmbedding = file.tensor(TensorRole.output.tensorName()) == nil
    var found: [String] = []
    var global: [TensorRole] = [.tokenEmbedding, .outputNorm]
    if !outputUsesEmbedding { global.append(.output) }
    for role in global {
      found.append(try Self.checked(role, layer: nil, file, model).name)
    }
    for layer in 0..<model.layerCount {
      for role in family.trunkRoles + TensorRole.expertRoles {
        found.append(try Self.checked(role, layer: layer, file, model).name)
      }
    }
    names = found
    self.file = file
  }

  /// The tensor of a role; `layer` for those that every layer has.
  public func tensor(_ role: TensorRole, layer: LayerIndex? = nil) -> GGUFTensor? {
    file.tensor(role.tensorName(layer: layer?.rawValue))
  }

  /// All layers of the model.
  public var layers: Range<LayerIndex> { 0..<LayerIndex(hyperparameters.layerCount) }

  /// Whether a layer has routed experts.
  public func requiresExperts(_ layer: LayerIndex) -> Bool { layers.contains(layer) }

  /// Bytes that one position of one layer takes in the KV cache.
  public func keyValueBytes(_ type: KVType) -> Int {
    let model = hyperparameters
    return model.keyValueHeadCount * (model.keyHeadSize + model.valueHeadSize) * type.elementBytes
  }

  /// The forms in which a layer's experts take their input, ascending; usually one.
  public func expertInputForms(_ layer: LayerIndex) -> [ActivationForm] {
    let types = [TensorRole.expertGate, .expertUp].compactMap { tensor($0, layer: layer)?.type }
    return Set(types.compactMap(\.activationForm)).sorted { $0.rawValue < $1.rawValue }
  }

  /// Writers leave out trailing dimensions of 1, such as that of a single expert.
  private static func withoutTrailingOnes(_ dimensions: [Int]) -> [Int] {
    dimensions.count > 1 && dimensions.last == 1 ? withoutTrailingOnes(dimensions.dropLast()) : dimensions
  }

  private static func checked(
    _ role: TensorRole, layer: Int?, _ file: GGUFFile, _ model: Hyperparameters
  ) throws(ModelSpecError) -> GGUFTensor {
    let name = role.tensorName(layer: layer)
    guard let tensor = file.tensor(name) else {
      throw ModelSpecError(.missingTensor, "the model has no tensor \(name)")
    }
    let expected = role.dimensions(model)
    guard withoutTrailingOnes(tensor.dimensions) == withoutTrailingOnes(expected) else {
      throw ModelSpecError(
        .badShape, "the tensor \(name) has the shape \(tensor.dimensions); the hyperparameters say \(expected)")
    }
    if role.mustBeFloat32 {
      guard tensor.type == .f32 else {
        throw ModelSpecError(.unsupportedType, "the tensor \(name) is \(tensor.type.name); a norm must be F32")
      }
    }
    return tensor
  }
}

extension ModelSpec {
  /// Refuses a model with a quant type outside `supported` (those the kernels can compute with).
  /// - Throws: `ModelSpecError` naming the first such tensor, its type and what is supported.
  public func requireTypes(_ supported: Set<QuantType>) throws(ModelSpecError) {
    let tensors = names.lazy.compactMap { file.tensor($0) }
    guard let tensor = tensors.first(where: { !supported.contains($0.type) }) else { return }
    let known = supported.map(\.name).sorted().joined(separator: ", ")
    throw ModelSpecError(
      .unsupportedType,
      "the tensor \(tensor.name) has the quant type \(tensor.type.name), which is not supported; supported: \(known)")
  }
}
