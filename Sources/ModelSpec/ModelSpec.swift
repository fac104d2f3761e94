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
  /// For each layer the roles of its trunk's tensors, in the order of the piece; `expertRoles` likewise.
  let trunkRoles: [[TensorRole]]
  let expertRoles: [[TensorRole]]
  /// Names of the tensors that the pieces are made of; shapes checked.
  let names: [String]

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
      throw ModelSpecError(
        .unsupportedFamily, "the model's family \(quoted(name)) is not supported; supported: \(known)")
    }
    let model = try Hyperparameters(family, file: file)
    var inventory = TensorInventory(family: family, model: model, file: file)
    try inventory.add([.tokenEmbedding, .outputNorm].map { ExpectedTensor(role: $0, isRequired: true) }, layer: nil)
    let output = try inventory.add([ExpectedTensor(role: .output, isRequired: false)], layer: nil)
    var (trunks, experts): ([[TensorRole]], [[TensorRole]]) = ([], [])
    for layer in 0..<model.layerCount {
      trunks.append(try inventory.add(family.trunk(layer, model), layer: layer))
      experts.append(model.hasExperts(layer) ? try inventory.add(family.expertTensors, layer: layer) : [])
    }
    try inventory.requireNoOthers()
    self.family = family
    hyperparameters = model
    outputUsesEmbedding = output.isEmpty
    trunkRoles = trunks
    expertRoles = experts
    names = inventory.names
    self.file = file
  }

  /// The tensor of a role; `layer` for those that every layer has.
  public func tensor(_ role: TensorRole, layer: LayerIndex? = nil) -> GGUFTensor? {
    file.tensor(family.tensorName(role, layer: layer?.rawValue))
  }

  /// All layers of the model.
  public var layers: Range<LayerIndex> { 0..<LayerIndex(hyperparameters.layerCount) }

  /// Whether a layer has routed experts.
  public func requiresExperts(_ layer: LayerIndex) -> Bool { hyperparameters.hasExperts(layer.rawValue) }

  /// What attention keeps of a position, in every layer.
  public var keyValueShape: KeyValueShape {
    let model = hyperparameters
    return switch family.attention {
    case .grouped:
      KeyValueShape(
        heads: model.keyValueHeadCount, keyElements: model.keyHeadSize, valueElements: model.valueHeadSize,
        storesValues: true)
    case .latent:
      KeyValueShape(heads: 1, keyElements: model.keyHeadSize, valueElements: model.valueHeadSize, storesValues: false)
    }
  }

  /// Bytes that one position of one layer takes in the KV cache.
  public func keyValueBytes(_ type: KVType) -> Int { keyValueShape.byteCount(type) }

  /// The forms in which a layer's experts take their input, ascending; usually one, none in a layer without experts.
  public func expertInputForms(_ layer: LayerIndex) -> [ActivationForm] {
    guard requiresExperts(layer) else { return [] }
    let types = [TensorRole.expertGate, .expertUp].compactMap { tensor($0, layer: layer)?.type }
    return Set(types.compactMap(\.activationForm)).sorted { $0.rawValue < $1.rawValue }
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
