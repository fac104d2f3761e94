import GGUF

/// The sizes of latent attention: queries, keys and values pass through narrow vectors, and the cache keeps one such
/// vector for all heads.
///
/// Files state head sizes in the absorbed form, in which every query head meets the one cached vector:
/// `attention.key_length` is the cached vector (latent and rotated elements), `attention.value_length` its latent part.
///
/// Source: DeepSeek-AI, "DeepSeek-V2" (2024), section 2.1.
public struct LatentShape: Sendable, Hashable {
  /// Elements of the vector between the two query projections; nil where one matrix projects queries.
  public let queryRank: Int?
  /// Elements of the cached vector that are not rotated.
  public let keyValueRank: Int
  /// Elements of a projected query head: those that meet the latent part, then the rotated ones.
  public let queryHeadSize: Int
  /// Elements of a value head, before the output projection.
  public let valueHeadSize: Int

  /// - Throws: `ModelSpecError` naming the key or tensor.
  init(_ keys: KeyReader, file: GGUFFile) throws(ModelSpecError) {
    guard file.tensor("blk.0.attn_kv_b.weight") == nil || file.tensor("blk.0.attn_k_b.weight") != nil else {
      throw ModelSpecError(
        .missingTensor,
        "the model has the unsplit projection blk.0.attn_kv_b.weight instead of attn_k_b and attn_v_b, as older "
          + "converters wrote it; convert the model again with a current convert_hf_to_gguf.py")
    }
    queryRank = try keys.integerIfPresent("attention.q_lora_rank", in: 0...1 << 20).flatMap { $0 > 0 ? $0 : nil }
    keyValueRank = try keys.integer("attention.kv_lora_rank", in: 1...65_536)
    queryHeadSize = try keys.integer("attention.key_length_mla", in: 1...65_536)
    valueHeadSize = try keys.integer("attention.value_length_mla", in: 1...65_536)
  }

  /// Checks what must hold between these and the other sizes.
  /// - Throws: `ModelSpecError` naming the key.
  func check(_ model: Hyperparameters, _ keys: KeyReader) throws(ModelSpecError) {
    try keys.require(
      model.keyValueHeadCount == 1, "attention.head_count_kv",
      "is \(model.keyValueHeadCount); latent attention keeps one head")
    try keys.require(
      model.valueHeadSize == keyValueRank, "attention.value_length",
      "is \(model.valueHeadSize); with latent attention it must be attention.kv_lora_rank, \(keyValueRank)")
    try keys.require(
      model.keyHeadSize == keyValueRank + model.ropeSize, "attention.key_length",
      "is \(model.keyHeadSize); with latent attention it must be attention.kv_lora_rank and rope.dimension_count "
        + "together, \(keyValueRank + model.ropeSize)")
    try keys.require(
      queryHeadSize > model.ropeSize, "attention.key_length_mla",
      "is \(queryHeadSize); it must be above rope.dimension_count, \(model.ropeSize)")
  }
}
