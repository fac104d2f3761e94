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
    guard let multiply = multiplies[Int(weights.type.rawValue)] else { Self.refuse(weights.type) }
    multiply(
      weights.bytes + rows.lowerBound * weights.rowBytes, weights.rowBytes, rows.count, activations, activationStride,
      activationRows, weights.columns, output + rows.lowerBound, outputStride)
  }

  /// The products of an instruction set, by the raw value of the weights' type.
  static func multiplies(_ float: FloatKernels, _ quantized: QuantizedKernels) -> [QuantizedKernels.Multiply?] {
    let largest = QuantType.allCases.map(\.rawValue).max() ?? 0
    return (0...largest).map { value in
      switch QuantType(rawValue: value) {
      case .f32: float.multiplyF32
      case .f16: float.multiplyF16
      case .bf16: float.multiplyBF16
      case let type?: quantized.multiply(type)
      case nil: nil
      }
    }
  }

  private static func refuse(_ type: QuantType) -> Never {
    preconditionFailure("\(type.name) weights cannot be computed with")
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
    case .int8x32, .int8x256: quantized.quantize(form)?(input, elements, row) ?? false
    }
  }

  /// Completes a row that came over the wire, of which the first `form.wireBytes(elements:)` bytes are filled:
  /// recomputes what does not travel.
  /// - Returns: false when the row cannot come from `prepareActivations`: a value that is not finite, a scale that is
  ///   negative or not finite.
  public func completeActivations(_ form: ActivationForm, elements: Int, row: UnsafeMutableRawPointer) -> Bool {
    switch form {
    case .float32: float.storeF32(row.assumingMemoryBound(to: Float.self), elements, row)
    case .int8x32, .int8x256: quantized.complete(form)?(elements, row) ?? false
    }
  }

  /// Writes one row of a weight matrix as float32, such as a token's embedding.
  /// - Parameter output: room for `weights.columns` values.
  public func dequantizeRow(_ weights: WeightMatrix, row: Int, output: UnsafeMutablePointer<Float>) {
    precondition(row >= 0 && row < weights.rows, "row outside the matrix")
    let source = weights.bytes + row * weights.rowBytes
    guard dequantizeScalar(weights.type, source: source, elements: weights.columns, output: output) else {
      Self.refuse(weights.type)
    }
  }

  /// Sum of products of two float32 vectors, in 16 lanes.
  public func dot(_ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, count: Int) -> Float {
    float.dot(left, right, count)
  }
}
