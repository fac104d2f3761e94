extension ScalarKernels {
  static let attendTileF32: FloatKernels.AttendTile = {
    ScalarKernels.attendTile($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) { row, index in
      row.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
    }
  }
  static let attendTileF16: FloatKernels.AttendTile = {
    ScalarKernels.attendTile($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) { row, index in
      HalfFloat.float(f16: row.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
    }
  }

  @inline(__always)
  private static func attendTile(
    _ query: UnsafePointer<Float>, _ keys: UnsafeRawPointer, _ keyStride: Int,
    _ values: UnsafeRawPointer, _ valueStride: Int, _ count: Int, _ keyElements: Int, _ valueElements: Int,
    _ scale: Float, _ scratch: UnsafeMutablePointer<Float>, _ state: UnsafeMutablePointer<Float>, _ isFirst: Bool,
    _ element: (UnsafeRawPointer, Int) -> Float
  ) {
    for position in 0..<count {
      let key = keys + position * keyStride
      scratch[position] = Lanes.dot(count: keyElements) { (query[$0], element(key, $0)) } * scale
    }
    let largest = maximum(scratch, count)
    for position in 0..<count { scratch[position] = Maths.exp(scratch[position] - largest) }
    let sum = Lanes.sum(count: count) { scratch[$0] }

    let merge = TileMerge(state: state, largest: largest, sum: sum, isFirst: isFirst)
    for index in 0..<valueElements {
      var output: Float = 0
      for position in 0..<count {
        output = output.addingProduct(scratch[position], element(values + position * valueStride, index))
      }
      state[2 + index] = merge.merged(state[2 + index], output)
    }
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
