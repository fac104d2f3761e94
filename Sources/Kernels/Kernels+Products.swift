public import Tensors

extension Kernels {
  /// Multiplies rows of a weight matrix with rows of activations: `output[a * outputStride + r]` is row `r` of the
  /// weights times activation row `a`.
  ///
  /// A product's bits depend on its two rows alone, not on the range or on how many rows are computed together.
  /// - Parameters:
  ///   - weights: a matrix of a supported type.
  ///   - rows: rows of the matrix to compute.
  ///   - activations: `activationRows` rows of `weights.columns` elements in the form
  ///     `weights.type.activationForm`, made by `prepareActivations` or completed by `completeActivations`.
  ///   - activationStride: bytes from one activation row to the next (`ActivationForm.rowStride`).
  ///   - outputStride: elements from one output row to the next.
  public func multiply(
    _ weights: WeightMatrix, rows: Range<Int>, activations: UnsafeRawPointer, activationStride: Int,
    activationRows: Int, output: UnsafeMutablePointer<Float>, outputStride: Int
  ) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= weights.rows, "rows outside the matrix")
    multiplyFunction(weights.type)(
      weights.bytes, weights.rowBytes, weights.columns, rows.lowerBound, rows.count, activations, activationStride,
      activationRows, output, outputStride)
  }

  private func multiplyFunction(_ type: QuantType) -> FloatKernels.Multiply {
    switch type {
    case .f32: float.multiplyF32
    case .f16: float.multiplyF16
    case .bf16: float.multiplyBF16
    default: preconditionFailure("\(type.name) weights cannot be computed with")
    }
  }

  /// Puts one row of float32 values into the form that a weight matrix is multiplied with.
  /// - Parameters:
  ///   - elements: a multiple of `form.blockElements`.
  ///   - row: `form.rowStride(elements:)` writable bytes.
  /// - Returns: false when a value is not finite; the row must then not be used.
  public func prepareActivations(
    _ form: ActivationForm, input: UnsafePointer<Float>, elements: Int, row: UnsafeMutableRawPointer
  ) -> Bool {
    switch form {
    case .float32: float.storeF32(input, elements, row)
    case .int8x32, .int8x256: preconditionFailure("no kernels for \(form)")
    }
  }

  /// Completes a row that came over the wire, of which the first `form.wireBytes(elements:)` bytes are filled:
  /// recomputes what does not travel.
  /// - Returns: false when the row cannot come from `prepareActivations`: a value that is not finite, a scale that is
  ///   negative or not finite.
  public func completeActivations(_ form: ActivationForm, elements: Int, row: UnsafeMutableRawPointer) -> Bool {
    switch form {
    case .float32: float.storeF32(row.assumingMemoryBound(to: Float.self), elements, row)
    case .int8x32, .int8x256: preconditionFailure("no kernels for \(form)")
    }
  }

  /// Writes one row of a weight matrix as float32, such as a token's embedding.
  /// - Parameter output: room for `weights.columns` values.
  public func dequantizeRow(_ weights: WeightMatrix, row: Int, output: UnsafeMutablePointer<Float>) {
    precondition(row >= 0 && row < weights.rows, "row outside the matrix")
    let bytes = weights.bytes + row * weights.rowBytes
    switch weights.type {
    case .f32:
      output.update(from: bytes.assumingMemoryBound(to: Float.self), count: weights.columns)
    case .f16:
      for index in 0..<weights.columns {
        output[index] = HalfFloat.float(f16: bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
      }
    case .bf16:
      for index in 0..<weights.columns {
        output[index] = HalfFloat.float(bf16: bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
      }
    default:
      preconditionFailure("\(weights.type.name) weights cannot be computed with")
    }
  }

  /// Sum of products of two float32 vectors, in 16 lanes.
  public func dot(_ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, count: Int) -> Float {
    float.dot(left, right, count)
  }
}
