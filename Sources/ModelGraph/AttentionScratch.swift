import Kernels
import ModelSpec

/// Where one thread keeps what belongs to a piece of attention.
struct AttentionScratch {
  /// A row of each query, `keyHeadSize` values apart.
  let queries: UnsafeMutablePointer<Float>
  /// `Kernels.attentionScratch` values.
  let weights: UnsafeMutablePointer<Float>
  /// A state of each query, `stateStride` values apart.
  let states: UnsafeMutablePointer<Float>
  let stateStride: Int

  /// - Parameter base: `floatCount` values, at the start of a cache line.
  init(_ base: UnsafeMutablePointer<Float>, _ model: Hyperparameters) {
    let limit = AttentionPieces.queryLimit
    weights = base
    queries = base + Self.lines(Kernels.attentionScratch(queries: limit))
    states = queries + Self.lines(limit * model.keyHeadSize) + Self.stateLead
    stateStride = Self.stateStride(model)
  }

  /// Values of a cache line.
  private static let line = 16
  /// Values left out before the first state: maximum and sum stand before the weighted values, which begin a line.
  static let stateLead = line - 2
  private static func lines(_ count: Int) -> Int { (count + line - 1) / line * line }
  /// Values from one query's state to the next.
  static func stateStride(_ model: Hyperparameters) -> Int { lines(2 + model.valueHeadSize) }

  /// Values a thread needs.
  static func floatCount(_ model: Hyperparameters) -> Int {
    let limit = AttentionPieces.queryLimit
    return lines(Kernels.attentionScratch(queries: limit)) + lines(limit * model.keyHeadSize)
      + stateLead + limit * stateStride(model)
  }
}
