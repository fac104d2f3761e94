public import Tensors

extension Kernels {
  /// Attends with one query head to one tile of keys and values, and merges the result into a running state.
  ///
  /// Tiles begin at absolute positions that are multiples of `KVType.blockPositions` and must be given in order; a tile
  /// is shorter only where the visible positions end. The state then holds the same bits however the work is divided.
  /// - Parameters:
  ///   - query: `keyElements` values.
  ///   - keys: the key of the tile's first position; `keyStride` bytes from one position to the next.
  ///   - values: likewise the values, of `valueElements` elements.
  ///   - count: visible positions of the tile, 1 to 64.
  ///   - scale: factor of the scores.
  ///   - scratch: room for 64 values, of no meaning afterwards.
  ///   - state: `2 + valueElements` values: largest score, sum of the weights, weighted sum of the values.
  ///   - isFirst: the state holds nothing yet.
  public func attendTile(
    query: UnsafePointer<Float>, keys: UnsafeRawPointer, keyStride: Int, values: UnsafeRawPointer, valueStride: Int,
    type: KVType, count: Int, keyElements: Int, valueElements: Int, scale: Float,
    scratch: UnsafeMutablePointer<Float>, state: UnsafeMutablePointer<Float>, isFirst: Bool
  ) {
    precondition(count >= 1 && count <= KVType.blockPositions, "a tile of \(count) positions")
    let attend =
      switch type {
      case .f16: float.attendTileF16
      case .f32: float.attendTileF32
      }
    attend(
      query, keys, keyStride, values, valueStride, count, keyElements, valueElements, scale, scratch, state, isFirst)
  }

  /// Ends attention: the weighted sum divided by the sum of the weights.
  /// - Parameters:
  ///   - state: as `attendTile` left it.
  ///   - output: room for `valueElements` values.
  public func finishAttention(
    state: UnsafePointer<Float>, valueElements: Int, output: UnsafeMutablePointer<Float>
  ) {
    let sum = state[1]
    for index in 0..<valueElements { output[index] = state[2 + index] / sum }
  }
}
