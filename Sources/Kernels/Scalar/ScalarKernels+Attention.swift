import CKernels

extension ScalarKernels {
  static let attendTileF32: FloatKernels.AttendTile = { tile in
    ScalarKernels.attendTile(tile.pointee) { row, index in
      row.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
    }
  }
  static let attendTileF16: FloatKernels.AttendTile = { tile in
    ScalarKernels.attendTile(tile.pointee) { row, index in
      HalfFloat.float(f16: row.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
    }
  }

  static let attendTileQ8: FloatKernels.AttendTile = { tile in
    ScalarKernels.attendTile(tile.pointee) { row, index in ScalarKernels.q8(row, index) }
  }

  /// Element of a row of blocks of 32: a scale in binary16 and 32 codes each.
  @inline(__always)
  private static func q8(_ row: UnsafeRawPointer, _ index: Int) -> Float {
    let block = row + index / 32 * 34
    let scale = HalfFloat.float(f16: block.loadUnaligned(as: UInt16.self))
    return scale * Float(block.load(fromByteOffset: 2 + index % 32, as: Int8.self))
  }

  static let storeQ8: FloatKernels.Store = { input, count, output in
    for start in stride(from: 0, to: count, by: 32) {
      let filled = min(32, count - start)
      var largest: Float = 0
      for index in start..<start + filled {
        guard input[index].isFinite else { return false }
        largest = max(largest, abs(input[index]))
      }
      let bits = HalfFloat.f16(largest / 127)
      guard bits & 0x7C00 != 0x7C00 else { return false }
      let block = output + start / 32 * 34
      block.storeBytes(of: bits, as: UInt16.self)
      let inverse = bits == 0 ? 0 : 1 / HalfFloat.float(f16: bits)
      for index in 0..<32 {
        let code = index < filled ? roundedToEven(input[start + index] * inverse) : 0
        block.storeBytes(of: Int8(max(-127, min(127, code))), toByteOffset: 2 + index, as: Int8.self)
      }
    }
    return true
  }

  @inline(__always)
  private static func attendTile(_ tile: ck_attention, _ element: (UnsafeRawPointer, Int) -> Float) {
    for query in 0..<tile.query_count {
      attendTile(
        tile, query: tile.queries + query * tile.query_stride, state: tile.states + query * tile.state_stride, element)
    }
  }

  @inline(__always)
  private static func attendTile(
    _ tile: ck_attention, query: UnsafePointer<Float>, state: UnsafeMutablePointer<Float>,
    _ element: (UnsafeRawPointer, Int) -> Float
  ) {
    let scratch = tile.scratch
    for position in 0..<tile.count {
      let key = tile.keys + position * tile.key_stride
      scratch[position] = Lanes.dot(count: tile.key_elements) { (query[$0], element(key, $0)) } * tile.scale
    }
    let largest = maximum(scratch, tile.count)
    for position in 0..<tile.count { scratch[position] = Maths.exp(scratch[position] - largest) }
    let sum = Lanes.sum(count: tile.count) { scratch[$0] }

    let merge = TileMerge(state: state, largest: largest, sum: sum, isFirst: tile.is_first)
    for index in 0..<tile.value_elements {
      var output: Float = 0
      for position in 0..<tile.count {
        output = output.addingProduct(scratch[position], element(tile.values + position * tile.value_stride, index))
      }
      state[2 + index] = merge.merged(state[2 + index], output)
    }
  }

  static let mergeAttention: FloatKernels.MergeAttention = { tile, elements, state in
    let merge = TileMerge(state: state, largest: tile[0], sum: tile[1], isFirst: false)
    for index in 2..<2 + elements { state[index] = merge.merged(state[index], tile[index]) }
  }

  /// How a tile's result joins the running state: writes maximum and sum, and weighs old against new outputs.
  private struct TileMerge {
    let oldFactor: Float
    let tileFactor: Float
    let isFirst: Bool

    @inline(__always)
    init(state: UnsafeMutablePointer<Float>, largest: Float, sum: Float, isFirst: Bool) {
      self.isFirst = isFirst
      if isFirst {
        (oldFactor, tileFactor) = (0, 1)
        (state[0], state[1]) = (largest, sum)
      } else {
        let newLargest = largest > state[0] ? largest : state[0]
        oldFactor = Maths.exp(state[0] - newLargest)
        tileFactor = Maths.exp(largest - newLargest)
        state[0] = newLargest
        state[1] = merge(state[1], sum)
      }
    }

    @inline(__always)
    func merged(_ old: Float, _ tile: Float) -> Float { isFirst ? tile : merge(old, tile) }

    @inline(__always)
    private func merge(_ old: Float, _ tile: Float) -> Float { (tile * tileFactor).addingProduct(old, oldFactor) }
  }
}
