/// The reference kernels: they define the bits that every instruction set must give (docs/numerics.md).
enum ScalarKernels {
  // MARK: Products

  static let multiplyF32: FloatKernels.Multiply = {
    ScalarKernels.multiply($0, $1, $2, $3, $4, $5, $6, $7, $8) { row, index in
      row.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
    }
  }
  static let multiplyF16: FloatKernels.Multiply = {
    ScalarKernels.multiply($0, $1, $2, $3, $4, $5, $6, $7, $8) { row, index in
      HalfFloat.float(f16: row.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
    }
  }
  static let multiplyBF16: FloatKernels.Multiply = {
    ScalarKernels.multiply($0, $1, $2, $3, $4, $5, $6, $7, $8) { row, index in
      HalfFloat.float(bf16: row.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
    }
  }

  @inline(__always)
  private static func multiply(
    _ weights: UnsafeRawPointer, _ rowBytes: Int, _ rowCount: Int,
    _ activations: UnsafeRawPointer, _ activationStride: Int, _ activationRows: Int, _ columns: Int,
    _ output: UnsafeMutablePointer<Float>, _ outputStride: Int,
    _ element: (UnsafeRawPointer, Int) -> Float
  ) {
    for row in 0..<rowCount {
      let weightRow = weights + row * rowBytes
      for activationRow in 0..<activationRows {
        let activation = activations + activationRow * activationStride
        output[activationRow * outputStride + row] = Lanes.dot(count: columns) { index in
          (element(weightRow, index), activation.loadUnaligned(fromByteOffset: 4 * index, as: Float.self))
        }
      }
    }
  }

  static let dot: FloatKernels.Dot = { left, right, count in
    Lanes.dot(count: count) { (left[$0], right[$0]) }
  }

  // MARK: Rows

  static let storeF32: FloatKernels.Store = { input, count, output in
    var finite = true
    for index in 0..<count {
      finite = finite && input[index].isFinite
      output.storeBytes(of: input[index], toByteOffset: 4 * index, as: Float.self)
    }
    return finite
  }

  static let storeF16: FloatKernels.Store = { input, count, output in
    var fits = true
    for index in 0..<count {
      let bits = HalfFloat.f16(input[index])
      fits = fits && bits & 0x7C00 != 0x7C00
      output.storeBytes(of: bits, toByteOffset: 2 * index, as: UInt16.self)
    }
    return fits
  }

  static let rmsNorm: FloatKernels.Norm = { input, weight, epsilon, count, output in
    let sum = Lanes.dot(count: count) { (input[$0], input[$0]) }
    let mean = sum / Float(count)
    let inverse = 1 / (mean + epsilon).squareRoot()
    for index in 0..<count { output[index] = (input[index] * inverse) * weight[index] }
  }

  static let softmax: FloatKernels.InPlace = { values, count in
    guard count > 0 else { return }
    let largest = maximum(values, count)
    for index in 0..<count { values[index] = Maths.exp(values[index] - largest) }
    let sum = Lanes.sum(count: count) { values[$0] }
    for index in 0..<count { values[index] = values[index] / sum }
  }

  static let swiGLU: FloatKernels.SwiGLU = { gate, up, count, output in
    for index in 0..<count {
      let value = gate[index]
      output[index] = (value / (1 + Maths.exp(-value))) * up[index]
    }
  }

  static let add: FloatKernels.Add = { source, destination, count in
    for index in 0..<count { destination[index] += source[index] }
  }

  static let rotateHalfSplit: FloatKernels.Rotate = { head, cosines, sines, pairs in
    for pair in 0..<pairs { rotate(head + pair, head + pair + pairs, cosines[pair], sines[pair]) }
  }

  static let rotateInterleaved: FloatKernels.Rotate = { head, cosines, sines, pairs in
    for pair in 0..<pairs { rotate(head + 2 * pair, head + 2 * pair + 1, cosines[pair], sines[pair]) }
  }

  @inline(__always)
  private static func rotate(
    _ first: UnsafeMutablePointer<Float>, _ second: UnsafeMutablePointer<Float>, _ cosine: Float, _ sine: Float
  ) {
    let (x, y) = (first.pointee, second.pointee)
    first.pointee = (-(y * sine)).addingProduct(x, cosine)
    second.pointee = (y * cosine).addingProduct(x, sine)
  }

  /// The largest value; zero has no sign in it.
  @inline(__always)
  static func maximum(_ values: UnsafePointer<Float>, _ count: Int) -> Float {
    var largest = values[0]
    for index in 1..<max(count, 1) where values[index] > largest { largest = values[index] }
    return largest + 0
  }
}
