import Tensors

/// Quantizes a row to int8: this is the definition of the bits (docs/numerics.md).
///
/// For each block, m = the largest magnitude; scale = m / 127 and element = x * (127 / m) rounded to nearest, ties to
/// even. A block of nothing but tiny numbers (m < 2^-100, where 127 / m could overflow) becomes zeros of scale 0.
/// - Parameter elements: a multiple of the form's block.
/// - Returns: false if a number is infinite or NaN; the row is then unspecified.
func quantizeScalar(
  _ form: ActivationForm, input: UnsafePointer<Float>, elements: Int, row: UnsafeMutableRawPointer
) -> Bool {
  let target = ActivationRow(form, base: row, count: elements)
  let blockElements = form.blockElements
  for block in 0..<elements / blockElements {
    let range = block * blockElements..<(block + 1) * blockElements
    // Magnitudes are compared as bit patterns, where infinity and NaN are above all numbers.
    let largest = range.reduce(UInt32(0)) { max($0, input[$1].bitPattern & 0x7fff_ffff) }
    guard largest < Float.infinity.bitPattern else { return false }
    let magnitude = Float(bitPattern: largest)
    let isTiny = magnitude < 0x1p-100
    target.scales[block] = isTiny ? 0 : magnitude / 127
    let inverse = isTiny ? 0 : 127 / magnitude
    for index in range {
      target.elements[index] = Int8(max(-127, min(127, roundedToEven(input[index] * inverse))))
    }
  }
  sumElements(of: target, count: elements)
  return true
}

/// Fills in the sums of a row that a peer has sent.
/// - Returns: false if no quantization makes such a row: a scale that is not finite or has its sign bit set, or an
///   element of -128 (for which AVX2's 16-bit products could saturate).
func completeScalar(_ form: ActivationForm, elements: Int, row: UnsafeMutableRawPointer) -> Bool {
  let target = ActivationRow(form, base: row, count: elements)
  for block in 0..<elements / form.blockElements {
    guard target.scales[block].bitPattern < Float.infinity.bitPattern else { return false }
  }
  for index in 0..<elements where target.elements[index] == -128 { return false }
  sumElements(of: target, count: elements)
  return true
}

private func sumElements(of row: ActivationRow, count: Int) {
  for index in 0..<count / ActivationRow.sumElements {
    var sum = Int16(0)
    for element in 0..<ActivationRow.sumElements {
      sum += Int16(row.elements[index * ActivationRow.sumElements + element])
    }
    row.sums[index] = sum
  }
}

/// Rounds to the nearest integer, ties to even, for magnitudes up to 2^22.
///
/// `rounded(.toNearestOrEven)` would be a call into libm on x86-64 without SSE4.1. Added to 1.5 * 2^23, where
/// neighbouring floats are 1 apart, the number is rounded by the addition itself, and the integer is left in the low
/// bits.
func roundedToEven(_ value: Float) -> Int32 {
  let magic = Float(12_582_912)
  return Int32(bitPattern: (value + magic).bitPattern &- magic.bitPattern)
}
