import Foundation
import GGUF
import Kernels
import ModelGraph
import ModelSpec
import Tensors

/// A model of two layers with float32 weights drawn from a seed: written as a file, and at hand as numbers. Unless said
/// otherwise it is a qwen3moe; value heads are smaller than key heads, and only a part of a head is rotated, so that
/// sizes cannot be mixed up.
final class TinyModel {
  /// Values by tensor name, without `.weight`.
  let values: [String: [Float]]
  let spec: ModelSpec
  let shard: Shard
  private let arena = WeightArena()

  private static let shapes: [(name: String, dimensions: [Int])] =
    [("token_embd", [32, 40]), ("output_norm", [32]), ("output", [32, 40])]
    + (0..<2).flatMap { layer in
      [
        ("attn_norm", [32]), ("attn_q", [32, 64]), ("attn_k", [32, 32]), ("attn_v", [32, 16]),
        ("attn_output", [32, 32]),
        ("attn_q_norm", [16]), ("attn_k_norm", [16]), ("ffn_norm", [32]), ("ffn_gate_inp", [32, 6]),
        ("ffn_gate_exps", [32, 24, 6]), ("ffn_up_exps", [32, 24, 6]), ("ffn_down_exps", [24, 32, 6]),
      ].map { ("blk.\(layer).\($0.0)", $0.1) }
    }

  /// - Parameters:
  ///   - more: keys beside those that every file has.
  ///   - edit: may change a tensor's values before they are written.
  convenience init(
    seed: UInt64 = 1, keys more: [String: GGUFValue] = [:],
    edit: (_ name: String, _ values: inout [Float]) -> Void = { _, _ in }
  ) throws {
    let keys: [String: GGUFValue] = [
      "block_count": .uint(2), "embedding_length": .uint(32), "attention.head_count": .uint(4),
      "attention.head_count_kv": .uint(2), "attention.key_length": .uint(16), "attention.value_length": .uint(8),
      "expert_count": .uint(6), "expert_used_count": .uint(3), "expert_feed_forward_length": .uint(24),
      "context_length": .uint(128), "rope.dimension_count": .uint(12),
      "attention.layer_norm_rms_epsilon": .float(1e-5), "rope.freq_base": .float(500),
    ]
    try self.init(
      family: "qwen3moe", shapes: Self.shapes, seed: seed, keys: keys.merging(more) { $1 }, edit: edit)
  }

  /// - Parameters:
  ///   - shapes: of all tensors, by their names without `.weight`; biases have `.bias`.
  ///   - keys: by their names without the family's.
  init(
    family: String, shapes: [(name: String, dimensions: [Int])], seed: UInt64, keys: [String: GGUFValue],
    edit: (_ name: String, _ values: inout [Float]) -> Void = { _, _ in }
  ) throws {
    var writer = GGUFWriter()
    try writer.set("general.architecture", .string(family))
    for (key, value) in keys { try writer.set("\(family).\(key)", value) }
    var state = seed
    var all: [String: [Float]] = [:]
    for (name, dimensions) in shapes {
      let isBias = name.hasSuffix(".bias")
      // Vectors are norms else, which are about 1.
      let middle: Float = dimensions.count == 1 && !isBias ? 1 : 0
      var values = (0..<dimensions.reduce(1, *)).map { _ in Self.draw(&state) + middle }
      edit(name, &values)
      all[name] = values
      try writer.add(
        isBias ? name : name + ".weight", .f32, dimensions: dimensions, bytes: values.withUnsafeBytes { Array($0) })
    }
    values = all
    let path = NSTemporaryDirectory() + "shoal-graph-\(UUID().uuidString).gguf"
    try writer.write(to: path)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let file = try GGUFFile.open(path)
    spec = try ModelSpec(file: file)
    shard = try Self.load(spec, file, into: arena, for: try Kernels.select(.scalar))
  }

  /// Between -0.5 and 0.5.
  private static func draw(_ state: inout UInt64) -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(Int32(truncatingIfNeeded: state >> 33) % 1_000_000) / 1_000_000 - 0.5
  }

  /// Reads every piece of a model file into memory.
  static func load(_ spec: ModelSpec, _ file: GGUFFile, into arena: WeightArena, for kernels: Kernels) throws -> Shard {
    let shard = Shard(spec: spec)
    let reader = try GGUFDataReader(paths: file.headers.map(\.path))
    for piece in spec.pieces {
      guard let layout = spec.layout(of: piece) else { continue }
      let slot = try arena.allocate(byteCount: layout.memoryBytes)
      for (part, offset) in zip(layout.parts, layout.memoryOffsets) {
        try reader.read(
          part.range, into: UnsafeMutableRawBufferPointer(start: slot.base + offset, count: part.byteCount))
      }
      shard.insert(LoadedPiece(layout: layout, slot: slot, for: kernels))
    }
    return shard
  }
}
