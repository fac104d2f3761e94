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
    let table = weights.layout == .rows ? multiplies : panelMultiplies
    guard let multiply = table[Int(weights.type.rawValue)] else { Self.refuse(weights.type) }
    if weights.layout == .panels, (rows.lowerBound | rows.count) % WeightLayout.panelRows != 0 {
      return multiplyPanelParts(
        weights, rows: rows, activations: activations, activationStride: activationStride,
        activationRows: activationRows, output: output, outputStride: outputStride)
    }
    multiply(
      weights.bytes + rows.lowerBound * weights.rowBytes, weights.rowBytes, rows.count, activations, activationStride,
      activationRows, weights.columns, output + rows.lowerBound, outputStride)
  }

  /// Rows that are no whole panels: each panel they touch is computed whole, and what is wanted of it is kept.
  private func multiplyPanelParts(
    _ weights: WeightMatrix, rows: Range<Int>, activations: UnsafeRawPointer, activationStride: Int,
    activationRows: Int, output: UnsafeMutablePointer<Float>, outputStride: Int
  ) {
    let panelRows = WeightLayout.panelRows
    withUnsafeTemporaryAllocation(of: Float.self, capacity: panelRows * activationRows) { buffer in
      guard let products = buffer.baseAddress else { return }
      for panel in rows.lowerBound / panelRows..<(rows.upperBound + panelRows - 1) / panelRows {
        let all = panel * panelRows..<(panel + 1) * panelRows
        multiply(
          weights, rows: all, activations: activations, activationStride: activationStride,
          activationRows: activationRows, output: products - all.lowerBound, outputStride: panelRows)
        for row in rows.clamped(to: all) {
          for activation in 0..<activationRows {
            output[activation * outputStride + row] = products[activation * panelRows + row - all.lowerBound]
          }
        }
      }
    }
  }

  /// The layout in which weights are computed with fastest; a matrix in any other layout but this and `rows` cannot be.
  public func layout(of type: QuantType, rows: Int) -> WeightLayout {
    rows % WeightLayout.panelRows == 0 && quantized.panelMultiplies[type] != nil ? .panels : .rows
  }

  /// The product with rows of a type; nil for a type that is not supported.
  static func multiply(
    _ type: QuantType, _ float: FloatKernels, _ quantized: QuantizedKernels
  ) -> QuantizedKernels.Multiply? {
    switch type {
    case .f32: float.multiplyF32
    case .f16: float.multiplyF16
    case .bf16: float.multiplyBF16
    default: quantized.multiply(type)
    }
  }

  /// Products by the raw value of the weights' type.
  static func table(_ product: (QuantType) -> QuantizedKernels.Multiply?) -> [QuantizedKernels.Multiply?] {
    let largest = QuantType.allCases.map(\.rawValue).max() ?? 0
    return (0...largest).map { QuantType(rawValue: $0).flatMap(product) }
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
    guard weights.layout == .rows else {
      return withUnsafeTemporaryAllocation(byteCount: weights.rowBytes, alignment: 64) { buffer in
        guard let source = buffer.baseAddress else { return }
        weights.copyRow(row, to: source)
        dequantize(weights, source, output)
      }
    }
    dequantize(weights, weights.bytes + row * weights.rowBytes, output)
  }

  private func dequantize(_ weights: WeightMatrix, _ row: UnsafeRawPointer, _ output: UnsafeMutablePointer<Float>) {
    guard dequantizeScalar(weights.type, source: row, elements: weights.columns, output: output) else {
      Self.refuse(weights.type)
    }
  }

  /// Sum of products of two float32 vectors, in 16 lanes.
  public func dot(_ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, count: Int) -> Float {
    float.dot(left, right, count)
  }
}
