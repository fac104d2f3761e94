public import Tensors

/// A dispatch frame's payload, read in place.
///
/// Everything is checked once, when the view is made; afterwards the accessors only look. The memory must outlive
/// the view.
public struct DispatchView {
  public let layout: DispatchLayout
  public let layer: LayerIndex
  /// Which pass of the step.
  public let pass: Int
  /// Which part of the exchange; the answer repeats it.
  public let part: Int
  private let base: UnsafeRawPointer

  public var rowCount: Int { layout.rowCount }
  public var choiceCount: Int { layout.choiceCount }
  public var forms: ActivationForms { layout.forms }

  /// Validates a payload.
  /// - Parameters:
  ///   - hiddenSize: elements of a hidden state of the model.
  ///   - expertCount: routed experts of a layer; every expert index must be below it.
  /// - Throws: `WireError` for a length that does not fit the counts, counts that do not add up, an unknown form, an
  ///   expert or exponent out of range, and weights, scales or activations that are not finite.
  public init(
    _ payload: UnsafeRawBufferPointer, hiddenSize: Int, expertCount: Int
  ) throws(WireError) {
    var reader = WireReader(payload)
    layer = LayerIndex(Int(try reader.u16("layer")))
    pass = Int(try reader.u16("pass"))
    let rowCount = Int(try reader.u16("rows"))
    guard rowCount > 0 else { throw reader.bad("a dispatch without rows", back: 2) }
    let forms = ActivationForms(rawValue: try reader.u8("forms"))
    guard !forms.isEmpty, DispatchLayout.fits(forms, hiddenSize: hiddenSize) else {
      throw reader.bad("forms \(forms.rawValue) for rows of \(hiddenSize) elements", back: 1)
    }
    part = Int(try reader.u8("part"))
    let choiceCount = try reader.count("choices", limit: WireLimits.rows * 256, elementBytes: 6)
    layout = DispatchLayout(rowCount: rowCount, choiceCount: choiceCount, forms: forms, hiddenSize: hiddenSize)
    guard let base = payload.baseAddress, payload.count == layout.byteCount else {
      throw WireError(
        payload.count < layout.byteCount ? .truncated : .trailingBytes,
        "a dispatch of \(rowCount) rows and \(choiceCount) choices takes \(layout.byteCount) bytes, not \(payload.count)",
        offset: min(payload.count, layout.byteCount))
    }
    self.base = base
    try checkRows()
    try checkChoices(expertCount: expertCount)
    try checkActivations()
  }

  /// Exponent of the grid on which a row's sums are wanted.
  public func exponent(row: Int) -> Int32 {
    precondition((0..<rowCount).contains(row), "no such row in this dispatch")
    return Int32(load(layout.exponentsOffset + 2 * row) as Int16)
  }

  /// How many choices a row has; they follow those of the rows before it.
  public func choiceCount(row: Int) -> Int {
    precondition((0..<rowCount).contains(row), "no such row in this dispatch")
    return Int(load(layout.countsOffset + 2 * row) as UInt16)
  }

  /// Index of the expert a choice names, below the layer's count.
  public func expert(choice: Int) -> Int32 {
    precondition((0..<choiceCount).contains(choice), "no such choice in this dispatch")
    return Int32(load(layout.expertsOffset + 2 * choice) as UInt16)
  }

  /// Routing weight of a choice; finite.
  public func weight(choice: Int) -> Float {
    precondition((0..<choiceCount).contains(choice), "no such choice in this dispatch")
    return Float(bitPattern: load(layout.weightsOffset + 4 * choice))
  }

  /// A row's activations: `form.wireBytes(elements: hiddenSize)` bytes, of any alignment.
  public func activations(_ form: ActivationForm, row: Int) -> UnsafeRawPointer {
    base + layout.offset(of: form, row: row)
  }

  /// Copies out everything but the activations.
  /// - Parameters:
  ///   - exponents: `[rowCount]`
  ///   - firstChoice: `[rowCount + 1]`, where each row's choices begin.
  ///   - experts: `[choiceCount]`
  ///   - weights: `[choiceCount]`
  public func copy(
    exponents: UnsafeMutablePointer<Int32>, firstChoice: UnsafeMutablePointer<Int32>,
    experts: UnsafeMutablePointer<Int32>, weights: UnsafeMutablePointer<Float>
  ) {
    var next: Int32 = 0
    for row in 0..<rowCount {
      exponents[row] = Int32(load(layout.exponentsOffset + 2 * row) as Int16)
      firstChoice[row] = next
      next &+= Int32(load(layout.countsOffset + 2 * row) as UInt16)
    }
    firstChoice[rowCount] = next
    for choice in 0..<choiceCount {
      experts[choice] = Int32(load(layout.expertsOffset + 2 * choice) as UInt16)
      weights[choice] = Float(bitPattern: load(layout.weightsOffset + 4 * choice))
    }
  }

  // MARK: - Validation

  private func checkRows() throws(WireError) {
    var choices = 0
    for row in 0..<rowCount {
      let exponent = Int(load(layout.exponentsOffset + 2 * row) as Int16)
      guard abs(exponent) <= WireLimits.gridExponent else {
        throw WireError(
          .badValue, "grid exponent \(exponent) of row \(row)", offset: layout.exponentsOffset + 2 * row)
      }
      choices += Int(load(layout.countsOffset + 2 * row) as UInt16)
    }
    guard choices == choiceCount else {
      throw WireError(
        .badValue, "the rows have \(choices) choices, announced are \(choiceCount)", offset: layout.countsOffset)
    }
  }

  private func checkChoices(expertCount: Int) throws(WireError) {
    for choice in 0..<choiceCount {
      let expert = Int(load(layout.expertsOffset + 2 * choice) as UInt16)
      guard expert < expertCount else {
        throw WireError(
          .badValue, "expert \(expert) of a layer with \(expertCount)", offset: layout.expertsOffset + 2 * choice)
      }
    }
    guard FiniteCheck.areFinite(base + layout.weightsOffset, count: choiceCount) else {
      throw WireError(.badValue, "a routing weight is not a finite number", offset: layout.weightsOffset)
    }
  }

  private func checkActivations() throws(WireError) {
    for form in ActivationForm.allCases where forms.contains(form) {
      let scales = form == .float32 ? 0 : layout.hiddenSize
      let count = form == .float32 ? layout.hiddenSize : layout.hiddenSize / form.blockElements
      for row in 0..<rowCount {
        let offset = layout.offset(of: form, row: row) + scales
        guard FiniteCheck.areFinite(base + offset, count: count) else {
          throw WireError(.badValue, "activations of row \(row) are not finite numbers", offset: offset)
        }
      }
    }
  }

  private func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> T {
    T(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: T.self))
  }
}
