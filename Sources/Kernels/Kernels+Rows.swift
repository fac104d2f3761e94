public import Tensors

extension Kernels {
  /// Root mean square norm: `output = (input / sqrt(mean(input^2) + epsilon)) * weight`; may work in place.
  public func rmsNorm(
    input: UnsafePointer<Float>, weight: UnsafePointer<Float>, epsilon: Float, count: Int,
    output: UnsafeMutablePointer<Float>
  ) {
    float.rmsNorm(input, weight, epsilon, count, output)
  }

  /// Replaces values by their softmax.
  public func softmax(_ values: UnsafeMutablePointer<Float>, count: Int) { float.softmax(values, count) }

  /// `output = silu(gate) * up`, with silu(x) = x / (1 + e^-x); may work in place.
  public func swiGLU(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, count: Int, output: UnsafeMutablePointer<Float>
  ) {
    float.swiGLU(gate, up, count, output)
  }

  /// `destination += source`.
  public func add(_ source: UnsafePointer<Float>, to destination: UnsafeMutablePointer<Float>, count: Int) {
    float.add(source, destination, count)
  }

  /// Turns pairs of elements of one head by their angles: (x, y) becomes (x cos - y sin, x sin + y cos).
  /// - Parameters:
  ///   - head: `2 * pairs` elements; those behind are left alone.
  ///   - cosines: one for each pair, `sines` likewise.
  public func rotate(
    _ head: UnsafeMutablePointer<Float>, cosines: UnsafePointer<Float>, sines: UnsafePointer<Float>, pairs: Int,
    style: RotationStyle
  ) {
    switch style {
    case .halfSplit: float.rotateHalfSplit(head, cosines, sines, pairs)
    case .interleaved: float.rotateInterleaved(head, cosines, sines, pairs)
    }
  }

  /// Writes one head's key or value in the number type of the KV cache, rounded to nearest, ties to even.
  /// - Parameter output: `type.byteCount(elements: count)` bytes.
  /// - Returns: false when a value is not finite or too large for the type.
  public func storeKeyValue(
    _ type: KVType, input: UnsafePointer<Float>, count: Int, output: UnsafeMutableRawPointer
  ) -> Bool {
    switch type {
    case .f16: float.storeF16(input, count, output)
    case .f32: float.storeF32(input, count, output)
    case .q8_0: float.storeQ8(input, count, output)
    }
  }

  /// Finds the `k` highest scores, highest first; of equal scores the one with the lower index comes first. NaN counts
  /// as lower than every number.
  /// - Parameters:
  ///   - k: at most `count`; meant for small numbers, as the cost is up to `k * count`.
  ///   - indices: room for `k` indices.
  public func topK(
    _ scores: UnsafePointer<Float>, count: Int, k: Int, indices: UnsafeMutablePointer<Int32>
  ) {
    precondition(k >= 0 && k <= count, "asked for \(k) of \(count) scores")
    guard k > 0 else { return }
    for index in 0..<count {
      let score = scores[index]
      var slot = min(index, k)
      if slot == k {
        guard Self.isHigher(score, than: scores[Int(indices[k - 1])]) else { continue }
        slot = k - 1
      }
      while slot > 0, Self.isHigher(score, than: scores[Int(indices[slot - 1])]) {
        indices[slot] = indices[slot - 1]
        slot -= 1
      }
      indices[slot] = Int32(index)
    }
  }

  private static func isHigher(_ score: Float, than other: Float) -> Bool {
    score > other || (other.isNaN && !score.isNaN)
  }
}
