/// How many experts there are, and the inner widths of the feed-forward blocks.
struct FeedForwardWidths {
  let expertCount: Int
  let expertsPerToken: Int
  let denseLayerCount: Int
  let expert: Int
  let dense: Int
  let shared: Int

  /// - Throws: `ModelSpecError` naming the key.
  init(_ keys: KeyReader, _ family: ModelFamily, layerCount: Int) throws(ModelSpecError) {
    expertCount =
      family.experts == .always
      ? try keys.integer("expert_count", in: 1...65_535)
      : try keys.integer("expert_count", in: 0...65_535, default: 0)
    guard expertCount > 0 else {
      expertsPerToken = 0
      denseLayerCount = layerCount
      expert = 0
      shared = 0
      dense = try keys.integer("feed_forward_length", in: 1...1 << 20)
      return
    }
    expertsPerToken = try keys.integer("expert_used_count", in: 1...65_535)
    try keys.require(
      expertsPerToken <= expertCount, "expert_used_count",
      "is \(expertsPerToken), more than the \(expertCount) experts of a layer")
    denseLayerCount = try keys.integer("leading_dense_block_count", in: 0...layerCount, default: 0)
    dense = denseLayerCount > 0 ? try keys.integer("feed_forward_length", in: 1...1 << 20) : 0
    // Families that had dense models first, and others, keep an expert's width where those have theirs.
    let width = try keys.integerIfPresent("feed_forward_length", in: 0...1 << 20).flatMap { $0 > 0 ? $0 : nil }
    expert = try keys.integer("expert_feed_forward_length", in: 1...1 << 20, default: width)
    shared = family.sharedExpert == .never ? 0 : try Self.shared(keys, expert: expert, default: width)
  }

  /// - Parameter fallback: what older files mean that say nothing of shared experts.
  private static func shared(_ keys: KeyReader, expert: Int, default fallback: Int?) throws(ModelSpecError) -> Int {
    if let width = try keys.integerIfPresent("expert_shared_feed_forward_length", in: 1...1 << 20) { return width }
    guard let count = try keys.integerIfPresent("expert_shared_count", in: 0...4096) else {
      guard let fallback else { throw keys.missing("expert_shared_feed_forward_length") }
      return fallback
    }
    try keys.require(
      count * expert <= 1 << 20, "expert_shared_count",
      "is \(count): shared experts are \(count * expert) wide together")
    return count * expert
  }
}
