public import Tensors

/// Fills the payload of a dispatch frame in place.
///
/// Every row, choice and activation row of the layout must be set once; the order does not matter.
public struct DispatchWriter {
  public let layout: DispatchLayout
  private let base: UnsafeMutableRawPointer

  /// - Parameters:
  ///   - target: at least `layout.byteCount` bytes, of any alignment.
  ///   - pass: which pass of the step, below 65,536.
  ///   - part: which part of the exchange, below 256.
  public init(
    _ target: UnsafeMutableRawBufferPointer, layout: DispatchLayout, layer: LayerIndex, pass: Int, part: Int
  ) {
    guard let base = target.baseAddress, target.count >= layout.byteCount else {
      preconditionFailure("a dispatch of \(layout.byteCount) bytes does not fit \(target.count)")
    }
    self.layout = layout
    self.base = base
    store(UInt16(layer.rawValue), 0)
    store(UInt16(pass), 2)
    store(UInt16(layout.rowCount), 4)
    store(layout.forms.rawValue, 6)
    store(UInt8(part), 7)
    store(UInt32(layout.choiceCount), 8)
  }

  /// Sets the exponent of a row's combine grid and how many choices the row has.
  public func setRow(_ row: Int, exponent: Int32, choiceCount: Int) {
    store(row: row, Int16(exponent), UInt16(choiceCount))
  }

  /// Sets a choice; choices stand in the order of their rows.
  public func setChoice(_ choice: Int, expert: Int32, weight: Float) {
    store(choice: choice, UInt16(expert), weight)
  }

  /// Where to put a row's activations: `form.wireBytes(elements: hiddenSize)` bytes, of any alignment.
  public func activations(_ form: ActivationForm, row: Int) -> UnsafeMutableRawPointer {
    base + layout.offset(of: form, row: row)
  }

  private func store(row: Int, _ exponent: Int16, _ count: UInt16) {
    precondition((0..<layout.rowCount).contains(row), "no such row in this dispatch")
    store(exponent, layout.exponentsOffset + 2 * row)
    store(count, layout.countsOffset + 2 * row)
  }

  private func store(choice: Int, _ expert: UInt16, _ weight: Float) {
    precondition((0..<layout.choiceCount).contains(choice), "no such choice in this dispatch")
    store(expert, layout.expertsOffset + 2 * choice)
    store(weight.bitPattern, layout.weightsOffset + 4 * choice)
  }

  private func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, _ offset: Int) {
    base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }
}
