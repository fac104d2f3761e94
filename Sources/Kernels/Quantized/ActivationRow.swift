import Tensors

/// Where the parts of one row of int8 activations lie in memory: elements, then scales, then sums of 16 elements.
struct ActivationRow {
  /// int8, one per element, in -127...127.
  let elements: UnsafeMutablePointer<Int8>
  /// float32, one per block.
  let scales: UnsafeMutablePointer<Float>
  /// int16, one per 16 elements. They are never sent; whoever receives a row computes them.
  let sums: UnsafeMutablePointer<Int16>

  /// Elements that share a sum.
  static let sumElements = 16

  /// - Parameter count: elements of the row, a multiple of the form's block; `form` is not plain float32.
  init(_ form: ActivationForm, base: UnsafeMutableRawPointer, count: Int) {
    elements = base.assumingMemoryBound(to: Int8.self)
    scales = (base + count).assumingMemoryBound(to: Float.self)
    sums = (base + form.wireBytes(elements: count)).assumingMemoryBound(to: Int16.self)
  }
}
