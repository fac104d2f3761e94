extension Kernels {
  /// 1 / (1 + e^-x).
  public static func sigmoid(_ x: Float) -> Float { 1 / (1 + Maths.exp(-x)) }

  /// SwiGLU with clamped inputs: with g = min(gate, limit) and u = up limited to -limit ... limit it is
  /// g * sigmoid(alpha * g) * (u + 1), computed as silu(alpha * g) * ((u + 1) / alpha).
  /// - Parameters:
  ///   - gate: overwritten, `up` likewise.
  ///   - output: may be `gate`.
  public func clampedSwiGLU(
    gate: UnsafeMutablePointer<Float>, up: UnsafeMutablePointer<Float>, alpha: Float, limit: Float, count: Int,
    output: UnsafeMutablePointer<Float>
  ) {
    // Comparisons that are false for NaN, so that it is not lost.
    for index in 0..<count {
      let value = gate[index]
      gate[index] = alpha * (value > limit ? limit : value)
    }
    for index in 0..<count {
      let value = up[index]
      up[index] = ((value > limit ? limit : value < -limit ? -limit : value) + 1) / alpha
    }
    swiGLU(gate: gate, up: up, count: count, output: output)
  }
}
