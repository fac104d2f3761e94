import Foundation
import GGUF
import Tensors

@testable import ModelSpec

/// A small file of zeros of any family, with every tensor that its row names, of which tests change keys and tensors.
struct FamilyFile {
  let family: ModelFamily
  var keys: [String: GGUFValue]
  /// By name in the file.
  var tensors: [String: TinyModel.Tensor] = [:]
  /// Names of the tensors that a file may leave out.
  private(set) var optional: Set<String> = ["output.weight"]

  /// - Parameter experts: routed experts of a layer; 0: the model is dense.
  init(_ family: ModelFamily, experts: Int = 6) throws {
    self.family = family
    keys = [
      "block_count": .uint(3), "embedding_length": .uint(32), "attention.head_count": .uint(4),
      "attention.head_count_kv": .uint(2), "attention.key_length": .uint(16), "attention.value_length": .uint(8),
      "feed_forward_length": .uint(40), "context_length": .uint(128),
      "attention.layer_norm_rms_epsilon": .float(1e-6), "attention.sliding_window": .uint(32),
    ]
    if experts > 0 {
      let more: [String: GGUFValue] = [
        "expert_count": .uint(UInt64(experts)), "expert_used_count": .uint(2), "expert_feed_forward_length": .uint(24),
        "expert_shared_count": .uint(1), "leading_dense_block_count": .uint(1),
      ]
      keys.merge(more) { $1 }
    }
    if family.attention == .latent {
      let more: [String: GGUFValue] = [
        "attention.head_count_kv": .uint(1), "attention.q_lora_rank": .uint(20), "attention.kv_lora_rank": .uint(24),
        "attention.key_length": .uint(32), "attention.value_length": .uint(24), "attention.key_length_mla": .uint(16),
        "attention.value_length_mla": .uint(12), "rope.dimension_count": .uint(8),
      ]
      keys.merge(more) { $1 }
    }
    add([.tokenEmbedding, .outputNorm, .output].map { ExpectedTensor(role: $0, isRequired: true) }, layer: nil) {
      $0 == .outputNorm ? [32] : [32, 48]
    }
    let model = try Hyperparameters(family, file: file())
    for layer in 0..<model.layerCount {
      let expected = family.trunk(layer, model) + (model.hasExperts(layer) ? family.expertTensors : [])
      add(expected, layer: layer) { $0.dimensions(model, family) }
    }
  }

  private mutating func add(_ expected: [ExpectedTensor], layer: Int?, _ dimensions: (TensorRole) -> [Int]) {
    for tensor in expected {
      let name = family.tensorName(tensor.role, layer: layer)
      tensors[name] = TinyModel.Tensor(type: .f32, dimensions: dimensions(tensor.role))
      if !tensor.isRequired { optional.insert(name) }
    }
  }

  /// Writes the file and reads its header.
  func file() throws -> GGUFFile {
    var writer = GGUFWriter()
    try writer.set("general.architecture", .string(family.name))
    for (key, value) in keys { try writer.set("\(family.name).\(key)", value) }
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      let rows = tensor.dimensions.dropFirst().reduce(1, *)
      let bytes = (tensor.type.rowBytes(elements: tensor.dimensions[0]) ?? 0) * rows
      try writer.add(name, tensor.type, dimensions: tensor.dimensions, bytes: [UInt8](repeating: 0, count: bytes))
    }
    let path = NSTemporaryDirectory() + "shoal-family-\(UUID().uuidString).gguf"
    try writer.write(to: path)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try GGUFFile.open(path)
  }

  func spec() throws -> ModelSpec { try ModelSpec(file: file()) }

  /// The error that reading the file as a model gives.
  func refusal() throws -> ModelSpecError? {
    let file = try file()
    do {
      _ = try ModelSpec(file: file)
      return nil
    } catch {
      return error
    }
  }
}
