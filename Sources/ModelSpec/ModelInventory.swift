import GGUF
public import Tensors

/// What a model consists of, in parameters and bytes, and how much of it one token touches.
public struct ModelInventory: Sendable, Hashable {
  /// Parameters, and the bytes in which they are stored.
  public struct Amount: Sendable, Hashable {
    public var parameters = 0
    public var bytes = 0

    /// Nothing.
    public init() {}

    static func + (left: Amount, right: Amount) -> Amount {
      var sum = left
      sum.parameters += right.parameters
      sum.bytes += right.bytes
      return sum
    }

    static func * (amount: Amount, factor: Int) -> Amount {
      var product = amount
      product.parameters *= factor
      product.bytes *= factor
      return product
    }
  }

  /// The token embedding, which is the output projection too where there is none of its own.
  public private(set) var embedding = Amount()
  /// Attention, norms, routers and dense feed-forward blocks.
  public private(set) var trunk = Amount()
  public private(set) var sharedExperts = Amount()
  public private(set) var routedExperts = Amount()
  /// The output projection, if it is not the embedding, and the last norm.
  public private(set) var output = Amount()
  /// The routed experts that one token is sent to, in all layers.
  public private(set) var chosenExperts = Amount()
  /// Bytes read for one token: one row of the embedding, everything else but the experts not chosen.
  public private(set) var bytesPerToken = 0

  /// Adds a model's tensors up.
  public init(_ spec: ModelSpec) {
    embedding = Self.amount(spec, .tokenEmbedding, layer: nil)
    output = Self.amount(spec, .outputNorm, layer: nil)
    if !spec.outputUsesEmbedding { output = output + Self.amount(spec, .output, layer: nil) }
    for layer in spec.layers { add(layer, of: spec) }
    let rows = spec.hyperparameters.vocabularySize
    let readOfEmbedding = spec.outputUsesEmbedding ? embedding.bytes : embedding.bytes / rows
    bytesPerToken = readOfEmbedding + trunk.bytes + sharedExperts.bytes + chosenExperts.bytes + output.bytes
  }

  /// Everything.
  public var total: Amount { embedding + trunk + sharedExperts + routedExperts + output }

  /// Parameters that take part in one token: all but those of experts not chosen.
  public var activeParameters: Int {
    total.parameters - routedExperts.parameters + chosenExperts.parameters
  }

  private mutating func add(_ layer: LayerIndex, of spec: ModelSpec) {
    for role in spec.trunkRoles[layer.rawValue] {
      // Every trunk has a copy of a tensor that the file has once.
      guard !role.isGlobal || layer == 0 else { continue }
      let amount = Self.amount(spec, role, layer: layer)
      if role.isShared { sharedExperts = sharedExperts + amount } else { trunk = trunk + amount }
    }
    let model = spec.hyperparameters
    for role in spec.expertRoles[layer.rawValue] {
      let amount = Self.amount(spec, role, layer: layer)
      routedExperts = routedExperts + amount
      var one = Amount()
      one.parameters = amount.parameters / model.expertCount
      one.bytes = amount.bytes / model.expertCount
      chosenExperts = chosenExperts + one * model.expertsPerToken
    }
  }

  private static func amount(_ spec: ModelSpec, _ role: TensorRole, layer: LayerIndex?) -> Amount {
    var amount = Amount()
    guard let tensor = spec.tensor(role, layer: layer) else { return amount }
    amount.parameters = tensor.dimensions.reduce(1, *)
    amount.bytes = tensor.byteCount
    return amount
  }
}

extension TensorRole {
  /// Whether the tensor belongs to the experts that every token goes through.
  fileprivate var isShared: Bool {
    switch self {
    case .sharedGate, .sharedUp, .sharedDown, .sharedExpertGate: true
    default: false
    }
  }
}

extension ModelSpec {
  /// How many of the tensors that the model uses have each quant type.
  public var typeCounts: [QuantType: Int] {
    Dictionary(grouping: Set(names).compactMap { file.tensor($0)?.type }, by: \.self).mapValues(\.count)
  }

  /// Bytes that one position takes in the KV cache of all layers.
  public func keyValueBytesOfAllLayers(_ type: KVType) -> Int { keyValueBytes(type) * layers.count }
}
