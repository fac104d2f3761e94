/// Passes over a whole vocabulary's logits, several at a time.
enum LogitScan {
  private typealias Floats = SIMD16<Float>
  private typealias Bits = SIMD16<UInt32>

  /// The largest of values without NaN; minus infinity when there are none.
  static func largest(_ values: UnsafeBufferPointer<Float>) -> Float {
    var lanes = Floats(repeating: -.infinity)
    let rest = forEachGroup(of: values) { lanes = lanes.replacing(with: $0, where: $0 .> lanes) }
    var largest = lanes.max()
    for value in values[rest...] where value > largest { largest = value }
    return largest
  }

  /// Whether no value is NaN or infinite.
  static func areFinite(_ values: UnsafeBufferPointer<Float>) -> Bool {
    // Infinities and NaN have all bits of the exponent set: adding one to it carries into the sign.
    var carries = Bits(repeating: 0)
    let rest = forEachGroup(of: values) {
      carries |= (unsafeBitCast($0, to: Bits.self) & 0x7FFF_FFFF) &+ 0x0080_0000
    }
    return (0..<Bits.scalarCount).allSatisfy { carries[$0] >> 31 == 0 } && values[rest...].allSatisfy { $0.isFinite }
  }

  /// Calls `body` with the index of each value above a threshold; it returns the threshold for those that follow.
  static func forEach(
    above threshold: Float, in values: UnsafeBufferPointer<Float>, _ body: (Int) -> Float
  ) {
    var threshold = threshold
    var start = 0
    let rest = forEachGroup(of: values) {
      if any($0 .> Floats(repeating: threshold)) {
        for index in start..<start + Floats.scalarCount where values[index] > threshold { threshold = body(index) }
      }
      start += Floats.scalarCount
    }
    for index in rest..<values.count where values[index] > threshold { threshold = body(index) }
  }

  /// Calls `body` with groups of 16 values in order; returns the number of values in them.
  @inline(__always)
  private static func forEachGroup(of values: UnsafeBufferPointer<Float>, _ body: (Floats) -> Void) -> Int {
    let grouped = values.count / Floats.scalarCount * Floats.scalarCount
    let bytes = UnsafeRawBufferPointer(values)
    for index in stride(from: 0, to: grouped, by: Floats.scalarCount) {
      body(bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Float>.stride, as: Floats.self))
    }
    return grouped
  }
}
