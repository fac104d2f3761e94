import GGUF
import Tensors
import Testing

@testable import ModelSpec

/// Every family's row against files that have what it names, lack some of it, or lie.
@Suite struct FamilyFileTests {
  static let all = ModelFamily.all.map(\.name)
  /// Families that may be dense.
  static let dense = ModelFamily.all.filter { $0.experts == .optional }.map(\.name)

  private func file(_ name: String, experts: Int = 6) throws -> FamilyFile {
    try FamilyFile(try #require(ModelFamily.all.first { $0.name == name }), experts: experts)
  }

  @Test("a file with everything is read: layers, experts, pieces, bytes", arguments: all)
  func everything(name: String) throws {
    let file = try file(name)
    let spec = try file.spec()
    let model = spec.hyperparameters
    #expect(model.layerCount == 3 && model.expertCount == 6 && model.denseLayerCount == 1 && model.denseWidth == 40)
    #expect(spec.layers.map { spec.requiresExperts($0) } == [false, true, true] && !spec.requiresExperts(3))
    #expect(spec.pieces.count == 2 + 3 + 2 * 6 && spec.layout(of: .expert(0, 0)) == nil)
    #expect(spec.expertInputForms(0).isEmpty && spec.expertInputForms(1) == [.float32])
    #expect(spec.keyValueBytes(.f32) == 2 * spec.keyValueBytes(.f16))
    // Every tensor is in a piece; the one factor vector of the whole model in that of each layer.
    let parts = spec.pieces.flatMap { spec.layout(of: $0)?.parts ?? [] }
    let factors = parts.filter { $0.role == .rotaryFactors }
    #expect(factors.count == (try family(name).rotaryFactors == .never ? 0 : 3) && Set(factors.map(\.range)).count <= 1)
    let covered = Set(parts.map(\.range)).reduce(0) { $0 + $1.byteCount }
    let written = spec.file.tensors.reduce(0) { $0 + $1.byteCount }
    #expect(covered == written)
    for part in parts { #expect(part.byteCount == 4 * part.rows * part.columns, "\(part.role)") }
  }

  private func family(_ name: String) throws -> ModelFamily { try #require(ModelFamily.all.first { $0.name == name }) }

  @Test("a model without experts is a model of dense layers", arguments: dense)
  func denseModel(name: String) throws {
    let spec = try file(name, experts: 0).spec()
    #expect(spec.pieces.count == 2 + 3 && spec.layers.allSatisfy { !spec.requiresExperts($0) })
    #expect(spec.hyperparameters.expertsPerToken == 0 && spec.layout(of: .expert(0, 0)) == nil)
  }

  @Test("a tensor that is missing is named; those that may be missing are not missed", arguments: all)
  func missing(name: String) throws {
    let whole = try file(name)
    for tensor in whole.tensors.keys.sorted() {
      var file = whole
      file.tensors[tensor] = nil
      let error = try file.refusal()
      if whole.optional.contains(tensor) {
        #expect(error == nil, "\(tensor): \(error?.message ?? "")")
      } else {
        #expect(error?.code == .missingTensor && error?.message.contains(tensor) == true, "\(tensor)")
      }
    }
  }

  @Test("a tensor of another shape is named, with both shapes", arguments: all)
  func otherShape(name: String) throws {
    let whole = try file(name)
    for (tensor, contents) in whole.tensors.sorted(by: { $0.key < $1.key }) where tensor != "token_embd.weight" {
      var file = whole
      let dimensions = Array(contents.dimensions.dropLast()) + [contents.dimensions[contents.dimensions.count - 1] + 8]
      file.tensors[tensor]?.dimensions = dimensions
      let error = try file.refusal()
      #expect(error?.code == .badShape && error?.message.contains(tensor) == true, "\(tensor)")
      #expect(error?.message.contains("\(dimensions)") == true && error?.message.contains("say [") == true)
    }
  }

  @Test("norms, biases, sinks and factors must be float32", arguments: all)
  func vectors(name: String) throws {
    let whole = try file(name)
    for (tensor, contents) in whole.tensors where tensor.hasSuffix(".bias") || contents.dimensions.count == 1 {
      var file = whole
      file.tensors[tensor]?.type = .f16
      let error = try file.refusal()
      #expect(error?.code == .unsupportedType && error?.message.contains(tensor) == true, "\(tensor)")
    }
  }

  static let lies: [(family: String, key: String, value: GGUFValue)] =
    all.flatMap { name -> [(String, String, GGUFValue)] in
      [
        (name, "attention.head_count", .uint(0)), (name, "block_count", .uint(1 << 31)),
        (name, "expert_used_count", .uint(7)), (name, "expert_used_count", .uint(0)),
        (name, "leading_dense_block_count", .uint(4)), (name, "leading_dense_block_count", .uint(3)),
        (name, "nextn_predict_layers", .uint(3)),
        (name, "rope.scaling.type", .string("su")), (name, "rope.scaling.factor", .float(.nan)),
        (name, "rope.scaling.factor", .float(-1)), (name, "rope.scaling.factor", .float(1e-30)),
        (name, "rope.scaling.factor", .float(.infinity)),
        (name, "rope.scale_linear", .float(-1)), (name, "rope.scaling.attn_factor", .float(0)),
        (name, "expert_group_count", .uint(4)), (name, "expert_weights_scale", .float(-1)),
        (name, "expert_weights_scale", .float(.infinity)), (name, "expert_gating_func", .uint(9)),
        (name, "attention.temperature_scale", .float(.nan)), (name, "expert_count", .uint(1 << 20)),
      ]
    } + [
      ("gpt-oss", "attention.sliding_window", .uint(0)), ("gpt-oss", "attention.sliding_window", .uint(1 << 40)),
      ("gpt-oss", "attention.sliding_window_pattern", .uint(5000)),
      ("glm4moe", "expert_shared_count", .uint(5000)), ("glm4moe", "expert_shared_feed_forward_length", .uint(0)),
      ("qwen2moe", "expert_shared_feed_forward_length", .uint(1 << 30)), ("llama", "expert_count", .int(-1)),
      ("llama", "rope.dimension_count", .uint(7)), ("olmoe", "expert_feed_forward_length", .uint(0)),
    ]

  @Test("a key that lies is named", arguments: lies)
  func lie(family: String, key: String, value: GGUFValue) throws {
    var file = try file(family)
    file.keys[key] = value
    let error = try file.refusal()
    #expect(error?.code == .badHyperparameter, "\(error?.message ?? "no error")")
    #expect(error?.message.contains("\(family).\(key)") == true, "\(error?.message ?? "nothing")")
  }

  @Test(
    "YaRN's numbers are checked",
    arguments: [
      ("rope.scaling.factor", nil), ("rope.scaling.original_context_length", .uint(0)),
      ("rope.scaling.yarn_beta_fast", .float(0)), ("rope.scaling.yarn_beta_slow", .float(.nan)),
      ("rope.scaling.yarn_log_multiplier", .float(-1)), ("rope.freq_base", .float(1)),
    ] as [(String, GGUFValue?)])
  func yarn(key: String, value: GGUFValue?) throws {
    var file = try file("llama")
    file.keys["rope.scaling.type"] = .string("yarn")
    file.keys["rope.scaling.factor"] = .float(4)
    #expect(try file.refusal() == nil)
    file.keys[key] = value
    let error = try file.refusal()
    #expect(error?.code == .badHyperparameter && error?.message.contains("llama.\(key)") == true)
  }

  @Test(
    "groups must divide the experts and leave enough to choose from",
    arguments: [
      (6, 4, 2, "expert_group_count"), (6, 3, 4, "expert_group_used_count"), (6, 6, 1, "expert_used_count"),
    ])
  func groups(experts: Int, count: Int, used: Int, key: String) throws {
    var file = try file("glm4moe", experts: experts)
    file.keys["expert_group_count"] = .uint(UInt64(count))
    file.keys["expert_group_used_count"] = .uint(UInt64(used))
    #expect(try file.refusal()?.message.contains("glm4moe.\(key)") == true)
    file.keys["expert_group_count"] = .uint(3)
    file.keys["expert_group_used_count"] = .uint(2)
    let routing = try file.spec().hyperparameters.routing
    #expect(routing.groupCount == 3 && routing.groupsUsed == 2)
  }

  @Test(
    "a tensor that the family does not have is refused by name: without it the answers would be wrong", arguments: all)
  func unknownTensor(name: String) throws {
    for tensor in ["blk.1.ffn_gate.scale", "blk.0.attn_q.lora", "rope_factors_long.weight"] {
      var file = try file(name)
      file.tensors[tensor] = TinyModel.Tensor(type: .f32, dimensions: [32])
      let error = try file.refusal()
      #expect(error?.code == .unknownTensor && error?.message.contains(tensor) == true, "\(tensor)")
    }
    // Layers that predict further tokens may hold anything.
    var file = try file(name)
    file.tensors["blk.3.nextn.eh_proj.weight"] = TinyModel.Tensor(type: .f32, dimensions: [32])
    #expect(try file.refusal() == nil)
  }

  @Test(
    "experts stored one by one, or gate and up in one, are refused with what to do",
    arguments: ["ffn_gate.0", "ffn_gate_up_exps"])
  func otherExperts(name: String) throws {
    var file = try file("llama")
    for layer in 1..<3 {
      file.tensors["blk.\(layer).ffn_gate_exps.weight"] = nil
      file.tensors["blk.\(layer).\(name).weight"] = TinyModel.Tensor(type: .f32, dimensions: [32, 24])
    }
    let error = try file.refusal()
    #expect(error?.code == .missingTensor && error?.message.contains("blk.1.\(name).weight") == true)
    #expect(error?.message.contains("convert it again") == true)
  }

  @Test("a stack with a dimension too many is refused")
  func fourDimensions() throws {
    var file = try file("olmoe")
    file.tensors["blk.1.ffn_up_exps.weight"]?.dimensions.append(1)
    #expect(try file.refusal()?.code == .badShape)
  }

  @Test("where a file names no gating, a selection bias means the sigmoid")
  func gatingBySelectionBias() throws {
    var file = try file("deepseek2")
    #expect(try file.spec().hyperparameters.routing.gating == .sigmoid)
    for layer in 1..<3 { file.tensors["blk.\(layer).exp_probs_b.bias"] = nil }
    #expect(try file.spec().hyperparameters.routing.gating == .softmax)
    file.keys["expert_gating_func"] = .uint(2)
    #expect(try file.spec().hyperparameters.routing.gating == .sigmoid)
  }

  @Test("older files of gated shared experts state one width: the shared expert's")
  func oneWidth() throws {
    var file = try file("qwen2moe")
    for key in ["expert_feed_forward_length", "expert_shared_count"] { file.keys[key] = nil }
    file.keys["feed_forward_length"] = .uint(48)
    let model = try Hyperparameters(file.family, file: file.file())
    #expect(model.sharedWidth == 48 && model.expertWidth == 24)
  }

  @Test("a factor of 0 stands for none, and none for no scaling")
  func noFactor() throws {
    var file = try file("llama")
    file.keys["rope.scaling.factor"] = .float(0)
    #expect(try file.spec().hyperparameters.ropeScaling == .none)
    file.keys["rope.scaling.factor"] = .float(-7)
    file.keys["rope.scaling.type"] = .string("none")
    #expect(try file.spec().hyperparameters.ropeScaling == .none)
    file.keys["rope.scaling.factor"] = .float(0.5)
    file.keys["rope.scaling.type"] = .string("linear")
    #expect(try file.spec().hyperparameters.ropeScaling == .linear(factor: 0.5))
  }

  @Test("the length of attention temperature's steps is the file's, else that of the original context")
  func temperature() throws {
    var file = try file("deepseek2")
    #expect(try file.spec().hyperparameters.temperature == nil)
    file.keys["attention.temperature_scale"] = .float(0.5)
    #expect(try file.spec().hyperparameters.temperature?.length == 128)
    file.keys["rope.scaling.original_context_length"] = .uint(64)
    #expect(try file.spec().hyperparameters.temperature?.length == 64)
    file.keys["attention.temperature_length"] = .uint(16)
    #expect(try file.spec().hyperparameters.temperature?.length == 16)
  }

  @Test("head sizes that do not divide the hidden size must be said")
  func undividedHeads() throws {
    var file = try file("llama")
    file.keys["attention.head_count"] = .uint(6)
    file.keys["attention.key_length"] = nil
    let error = try file.refusal()
    #expect(error?.code == .badHyperparameter && error?.message.contains("llama.attention.key_length") == true)
  }

  @Test("the shared experts' width is stated, counted in experts, or that of a dense layer")
  func sharedWidth() throws {
    var file = try file("qwen2moe")
    #expect(try file.spec().hyperparameters.sharedWidth == 24)
    func width(_ changed: FamilyFile) throws -> Int {
      let hyperparameters = try Hyperparameters(changed.family, file: changed.file())
      return hyperparameters.sharedWidth
    }
    file.keys["expert_shared_feed_forward_length"] = .uint(96)
    #expect(try width(file) == 96)
    file.keys["expert_shared_feed_forward_length"] = nil
    file.keys["expert_shared_count"] = nil
    #expect(try width(file) == 40)
    file.keys["feed_forward_length"] = nil
    file.keys["leading_dense_block_count"] = nil
    let error = try file.refusal()
    #expect(error?.message.contains("qwen2moe.expert_shared_feed_forward_length") == true)
    // No shared expert at all.
    file.keys["expert_shared_count"] = .uint(0)
    #expect(try width(file) == 0)
  }

  @Test("layers that predict further tokens are none of the model's")
  func furtherTokens() throws {
    var file = try file("glm4moe")
    file.keys["nextn_predict_layers"] = .uint(1)
    let spec = try file.spec()
    #expect(spec.hyperparameters.layerCount == 2 && !spec.requiresExperts(2) && spec.layout(of: .trunk(2)) == nil)
    #expect(spec.pieces.count == 2 + 2 + 6)
  }

  @Test("of alternating layers the last of each period sees everything")
  func windows() throws {
    var file = try file("gpt-oss")
    var window = try #require(try file.spec().hyperparameters.slidingWindow)
    #expect(window.positions == 32 && (0..<5).map(window.limits) == [true, false, true, false, true])
    file.keys["attention.sliding_window_pattern"] = .uint(3)
    window = try #require(try file.spec().hyperparameters.slidingWindow)
    #expect((0..<6).map(window.limits) == [true, true, false, true, true, false])
    file.keys["attention.sliding_window_pattern"] = .uint(0)
    window = try #require(try file.spec().hyperparameters.slidingWindow)
    #expect((0..<3).allSatisfy(window.limits))
    // Other families have the key for what they do not do.
    #expect(try self.file("llama").spec().hyperparameters.slidingWindow == nil)
  }

  @Test("896 experts, and any number of them chosen, are within the limits", arguments: [1, 16, 896])
  func manyExperts(chosen: Int) throws {
    var file = try file("glm4moe", experts: 896)
    file.keys["expert_used_count"] = .uint(UInt64(chosen))
    let spec = try file.spec()
    #expect(spec.pieces.count == 2 + 3 + 2 * 896)
    let last = try #require(spec.layout(of: .expert(2, 895)))
    #expect(last.byteCount == 4 * 3 * 32 * 24 && spec.layout(of: .expert(2, 896)) == nil)
  }

  @Test("an expert's biases are its own part of the stack")
  func expertBiases() throws {
    let spec = try file("gpt-oss").spec()
    let layouts = try (0..<6).map { try #require(spec.layout(of: .expert(1, ExpertIndex($0)))) }
    for role in [TensorRole.expertGateBias, .expertUpBias, .expertDownBias] {
      let parts = layouts.compactMap { $0.parts.first { $0.role == role } }
      #expect(
        parts.count == 6 && parts.allSatisfy { $0.rows == 1 && $0.columns == (role == .expertDownBias ? 32 : 24) })
      let tensor = try #require(spec.tensor(role, layer: 1))
      #expect(parts.enumerated().allSatisfy { $1.range.offset == tensor.offset + $0 * $1.byteCount })
    }
  }

  @Test("values that are a part of the keys are not stored")
  func keyValueShape() {
    let latent = KeyValueShape(heads: 1, keyElements: 576, valueElements: 512, storesValues: false)
    let grouped = KeyValueShape(heads: 8, keyElements: 128, valueElements: 64, storesValues: true)
    #expect(latent.byteCount(.f16) == 1152 && grouped.byteCount(.f32) == 8 * 192 * 4)
    #expect(latent.byteCount(.q8_0) == 18 * 34 && grouped.byteCount(.q8_0) == 8 * 6 * 34)
  }
}
