import CKernels
public import Tensors

extension Kernels {
  /// Values of scratch that `attendTile` needs for some queries.
  public static func attentionScratch(queries: Int) -> Int { queries * (KVType.blockPositions + 2) }

  /// Attends with some query heads to one tile of keys and values that they share, and merges the results into running
  /// states.
  ///
  /// Tiles begin at absolute positions that are multiples of `KVType.blockPositions` and must be given in order; a tile
  /// is shorter only where the visible positions end. The state then holds the same bits however the work is divided,
  /// and however many queries share a call: they may be heads of a group, rows that see the whole tile, or both. The
  /// more they are, the less often the cache is read.
  /// - Parameters:
  ///   - queries: `queryCount` rows of `keyElements` values, `queryStride` elements apart.
  ///   - keys: the key of the tile's first position; `keyStride` bytes from one position to the next.
  ///   - values: likewise the values, of `valueElements` elements.
  ///   - count: visible positions of the tile, 1 to 64.
  ///   - scale: factor of the scores.
  ///   - scratch: room for `attentionScratch(queries:)` values, of no meaning afterwards.
  ///   - states: for each query `2 + valueElements` values: largest score, sum of the weights, weighted sum of the
  ///     values; `stateStride` elements apart.
  ///   - isFirst: the states hold nothing yet.
  ///   - nextKeys: keys of the whole tile that comes next, to be fetched from memory meanwhile.
  ///   - nextValues: its values, where they are not in the keys.
  public func attendTile(
    queries: UnsafePointer<Float>, queryStride: Int, queryCount: Int, keys: UnsafeRawPointer, keyStride: Int,
    values: UnsafeRawPointer, valueStride: Int, type: KVType, count: Int, keyElements: Int, valueElements: Int,
    scale: Float, scratch: UnsafeMutablePointer<Float>, states: UnsafeMutablePointer<Float>, stateStride: Int,
    isFirst: Bool, nextKeys: UnsafeRawPointer? = nil, nextValues: UnsafeRawPointer? = nil
  ) {
    precondition(count >= 1 && count <= KVType.blockPositions, "a tile of \(count) positions")
    var tile = ck_attention(
      queries: queries, query_stride: queryStride, query_count: queryCount, keys: keys, key_stride: keyStride,
      values: values, value_stride: valueStride, count: count, next_keys: nextKeys,
      next_values: nextValues, key_elements: keyElements,
      value_elements: valueElements, scale: scale, scratch: scratch, states: states, state_stride: stateStride,
      is_first: isFirst)
    switch type {
    case .f16: float.attendTileF16(&tile)
    case .f32: float.attendTileF32(&tile)
    case .q8_0: float.attendTileQ8(&tile)
    }
  }

  /// Attends with one query head; see the method for several.
  public func attendTile(
    query: UnsafePointer<Float>, keys: UnsafeRawPointer, keyStride: Int, values: UnsafeRawPointer, valueStride: Int,
    type: KVType, count: Int, keyElements: Int, valueElements: Int, scale: Float,
    scratch: UnsafeMutablePointer<Float>, state: UnsafeMutablePointer<Float>, isFirst: Bool
  ) {
    attendTile(
      queries: query, queryStride: 0, queryCount: 1, keys: keys, keyStride: keyStride, values: values,
      valueStride: valueStride, type: type, count: count, keyElements: keyElements, valueElements: valueElements,
      scale: scale, scratch: scratch, states: state, stateStride: 0, isFirst: isFirst)
  }

  /// Merges the state of one tile, attended to by itself, into that of the tiles before it, with the bits that
  /// `attendTile` would have given.
  /// - Parameters:
  ///   - tile: `2 + valueElements` values, as `attendTile` leaves them.
  ///   - state: likewise; holds something already.
  public func mergeAttention(
    _ tile: UnsafePointer<Float>, valueElements: Int, into state: UnsafeMutablePointer<Float>
  ) {
    float.mergeAttention(tile, valueElements, state)
  }

  /// Ends attention: the weighted sum divided by the sum of the weights.
  /// - Parameters:
  ///   - state: as `attendTile` left it.
  ///   - sink: a score that no position has; merged like a last tile with a weight of 1 and values of zero.
  ///   - output: room for `valueElements` values.
  public func finishAttention(
    state: UnsafePointer<Float>, valueElements: Int, sink: Float? = nil, output: UnsafeMutablePointer<Float>
  ) {
    guard let sink else {
      let sum = state[1]
      for index in 0..<valueElements { output[index] = state[2 + index] / sum }
      return
    }
    let largest = sink > state[0] ? sink : state[0]
    let stateFactor = Maths.exp(state[0] - largest)
    let sum = Maths.exp(sink - largest).addingProduct(state[1], stateFactor)
    for index in 0..<valueElements { output[index] = Float(0).addingProduct(state[2 + index], stateFactor) / sum }
  }
}
