extension Kernels {
  /// Exponent of the grid on which the experts' contributions to one row are added.
  /// - Parameters:
  ///   - residual: the residual row before the experts' output is added, `count` elements.
  ///   - shift: `CombineMode.gridShift`.
  /// - Returns: nil when a value of the row is not finite.
  public func gridExponent(residual: UnsafePointer<Float>, count: Int, shift: Int32) -> Int32? {
    let blocks = (count + Self.gridBlock - 1) / Self.gridBlock
    guard blocks > 0 else { return shift }
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: blocks) { maxima -> Int32? in
      for block in 0..<blocks {
        let start = block * Self.gridBlock
        // As bit patterns without the sign, magnitudes compare like integers, infinity and NaN above all numbers.
        var bits: Int32 = 0
        for index in start..<min(start + Self.gridBlock, count) {
          bits = max(bits, Int32(bitPattern: residual[index].bitPattern & 0x7FFF_FFFF))
        }
        guard bits < 0x7F80_0000 else { return nil }
        let largest = Float(bitPattern: UInt32(bits))
        var slot = block
        while slot > 0, maxima[slot - 1] > largest {
          maxima[slot] = maxima[slot - 1]
          slot -= 1
        }
        maxima[slot] = largest
      }
      var size = maxima[(blocks - 1) / 2]
      if size == 0 { size = maxima[blocks - 1] }
      if size == 0 { size = 1 }
      return max(Int32(size.bitPattern >> 23) - 127, -126) + shift
    }
  }

  /// Adds one expert's contribution, `weight * values`, to sums on the grid 2^exponent.
  ///
  /// The sums are integers, so their order does not matter and a worker may return the sum of all its experts.
  /// - Parameter exponent: from `gridExponent`, -200 to 200.
  /// - Returns: false when a contribution is not finite or does not fit the grid; the sums are then of no use.
  public func accumulate(
    _ values: UnsafePointer<Float>, weight: Float, exponent: Int32, count: Int, into sums: UnsafeMutablePointer<Int64>
  ) -> Bool {
    float.accumulate(values, weight, Self.powerOfTwo(-exponent), count, sums)
  }

  /// Adds sums on the grid 2^exponent to the residual row.
  public func addAccumulated(
    _ sums: UnsafePointer<Int64>, exponent: Int32, count: Int, to residual: UnsafeMutablePointer<Float>
  ) {
    float.addAccumulated(sums, Self.powerOfTwo(exponent), count, residual)
  }

  private static let gridBlock = 256

  private static func powerOfTwo(_ exponent: Int32) -> Double {
    precondition(exponent >= -200 && exponent <= 200, "grid exponent \(exponent)")
    return Double(bitPattern: UInt64(exponent + 1023) << 52)
  }
}
