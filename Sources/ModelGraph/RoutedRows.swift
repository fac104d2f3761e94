public import Tensors

/// Rows that want routed experts of one layer: what a request to an expert node carries.
///
/// Choices of row r stand at `firstChoice[r] ..< firstChoice[r + 1]` in `experts` and `weights`. The memory belongs
/// to whoever made the value and is valid until that owner's next piece of work.
public struct RoutedRows {
  public let layer: LayerIndex
  public let rowCount: Int
  /// Exponents of the rows' grids, `[rowCount]`.
  public let exponents: UnsafePointer<Int32>
  /// `[rowCount + 1]`
  public let firstChoice: UnsafePointer<Int32>
  public let experts: UnsafePointer<Int32>
  public let weights: UnsafePointer<Float>
  /// Which row of `activations` belongs to each row, `[rowCount]`; nil when they are the same.
  public let sourceRows: UnsafePointer<Int32>?
  /// The rows in each of the forms that the layer's experts take, `[rowCount]` rows of `rowStride` bytes.
  public let activations: ActivationSet

  public init(
    layer: LayerIndex, rowCount: Int, exponents: UnsafePointer<Int32>, firstChoice: UnsafePointer<Int32>,
    experts: UnsafePointer<Int32>, weights: UnsafePointer<Float>, activations: ActivationSet,
    sourceRows: UnsafePointer<Int32>? = nil
  ) {
    self.layer = layer
    self.rowCount = rowCount
    self.exponents = exponents
    self.firstChoice = firstChoice
    self.experts = experts
    self.weights = weights
    self.activations = activations
    self.sourceRows = sourceRows
  }

  /// The row of `activations` that belongs to a row.
  public func sourceRow(_ row: Int) -> Int { sourceRows.map { Int($0[row]) } ?? row }

  /// Choices of all rows together.
  public var choiceCount: Int { Int(firstChoice[rowCount]) }
}

/// The same rows in up to three activation forms.
public struct ActivationSet {
  private var bases: (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) = (nil, nil, nil)

  public init() {}

  /// Where the rows of a form stand; nil when there are none.
  public subscript(form: ActivationForm) -> UnsafeMutableRawPointer? {
    get {
      switch form {
      case .float32: bases.0
      case .int8x32: bases.1
      case .int8x256: bases.2
      }
    }
    set {
      switch form {
      case .float32: bases.0 = newValue
      case .int8x32: bases.1 = newValue
      case .int8x256: bases.2 = newValue
      }
    }
  }
}
