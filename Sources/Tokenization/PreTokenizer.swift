import Tensors

/// How text is prepared before byte-pair encoding: a row of the table of the values of `tokenizer.ggml.pre`.
struct PreTokenizer: Sendable {
  /// Values of the key: the usual one first, then others that llama.cpp treats alike.
  let names: [String]
  let rules: SplitRules
  /// Whether the text is brought into Unicode normalization form C.
  var composes = false
  /// Whether a text begins with the beginning-of-sequence token when `tokenizer.ggml.add_bos_token` is not given.
  var addsBOS = false
  /// Whether a piece that is a token as it stands becomes that token, whatever merges say (`ignore_merges`).
  var takesWholePieces = false

  /// The rules that are built in.
  static let all: [PreTokenizer] = [
    PreTokenizer(
      names: ["qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez"], rules: .gpt4(digits: 1), composes: true),
    PreTokenizer(
      names: [
        "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano",
      ], rules: .gpt4(digits: 3), addsBOS: true, takesWholePieces: true),
    PreTokenizer(names: ["deepseek-v3", "hunyuan-dense", "joyai-llm"], rules: .deepSeekV3),
    PreTokenizer(names: ["deepseek-llm"], rules: .deepSeekLLM),
    PreTokenizer(names: ["deepseek-coder"], rules: .deepSeekCoder),
    PreTokenizer(names: ["kimi-k2"], rules: .kimiK2),
    PreTokenizer(names: ["glm4", "chatglm-bpe"], rules: .gpt4(digits: 3)),
    PreTokenizer(
      names: ["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"], rules: .gpt4o(digits: 3, contractions: true)),
    PreTokenizer(
      names: ["tekken"], rules: .gpt4o(digits: 1, contractions: false), addsBOS: true, takesWholePieces: true),
    PreTokenizer(names: ["olmo"], rules: .gpt2, composes: true),
    // Cut by llama.cpp as those of Qwen and OLMo, and not brought into normalization form C.
    PreTokenizer(names: ["solar-open"], rules: .gpt4(digits: 1)),
    PreTokenizer(names: ["gpt-2", "gigachat"], rules: .gpt2),
  ]

  /// - Throws: when no rules of that name are built in.
  static func named(_ name: String?) throws(TokenizationError) -> PreTokenizer {
    guard let name else {
      throw TokenizationError(
        .unsupported,
        "\(TokenizerKey.preTokenizer) is missing, so that it is not known how text is to be cut; convert the model again"
      )
    }
    if let row = all.first(where: { $0.names.contains(name) }) { return row }
    let supported = all.flatMap(\.names).joined(separator: ", ")
    throw TokenizationError(
      .unsupported, "\(TokenizerKey.preTokenizer) is \(quoted(name)); supported: \(supported)")
  }
}
