public import ModelSpec
public import Tensors

/// Rows that go through the layers of one stage together, and what must be kept of them while the pass waits for
/// its experts. Passes are reused: `reset` makes one ready for other rows.
public final class Pass {
  /// Most rows this pass can take.
  public let rowCapacity: Int
  public private(set) var rowCount = 0
  /// Residual stream, `[rowCapacity, hiddenSize]`.
  public let hidden: UnsafeMutablePointer<Float>
  /// Partial sums of the current layer's experts on the grid, `[rowCapacity, hiddenSize]`.
  public let accumulators: UnsafeMutablePointer<Int64>
  /// Exponent of each row's grid in the current layer, `[rowCapacity]`.
  public let exponents: UnsafeMutablePointer<Int32>
  /// The layer to be computed next.
  public internal(set) var layer: LayerIndex = 0
  /// Whether `layer`'s trunk is done and its experts are awaited.
  public internal(set) var awaitsExperts = false

  /// Position of each row in its sequence, `[rowCapacity]`.
  private(set) var positions: [Int]
  /// KV blocks of each row's sequence, `[rowCapacity]`.
  private(set) var tables: [KVBlockTable?]
  /// `[rowCapacity, ropeSize / 2]` each.
  let cosines: UnsafeMutablePointer<Float>
  let sines: UnsafeMutablePointer<Float>

  let hiddenSize: Int
  private let buffers: [AlignedBuffer]

  public init(spec: ModelSpec, rowCapacity: Int) {
    let model = spec.hyperparameters
    self.rowCapacity = rowCapacity
    hiddenSize = model.hiddenSize
    buffers = Self.sizes(model, rowCapacity: rowCapacity).map { AlignedBuffer(byteCount: $0) }
    hidden = buffers[0].floats
    accumulators = buffers[1].int64s
    exponents = buffers[2].base.assumingMemoryBound(to: Int32.self)
    cosines = buffers[3].floats
    sines = buffers[4].floats
    positions = Array(repeating: 0, count: rowCapacity)
    tables = Array(repeating: nil, count: rowCapacity)
  }

  private static func sizes(_ model: Hyperparameters, rowCapacity: Int) -> [Int] {
    let elements = rowCapacity * model.hiddenSize
    let angles = rowCapacity * model.ropeSize / 2
    return [4 * elements, 8 * elements, 4 * rowCapacity, 4 * angles, 4 * angles]
  }

  /// Bytes a pass takes.
  public static func byteCount(_ model: Hyperparameters, rowCapacity: Int) -> Int {
    sizes(model, rowCapacity: rowCapacity).reduce(0, +)
  }

  /// Empties the pass and puts it before `layer`.
  public func reset(layer: LayerIndex) {
    rowCount = 0
    self.layer = layer
    awaitsExperts = false
  }

  /// Adds `count` rows of one sequence, at `position` and the following ones.
  public func append(position: Int, count: Int, table: KVBlockTable) {
    precondition(rowCount + count <= rowCapacity, "too many rows for a pass")
    for row in 0..<count {
      positions[rowCount + row] = position + row
      tables[rowCount + row] = table
    }
    rowCount += count
  }

  /// Whether a row, not the first, belongs to the sequence of the one before and follows it.
  func continuesSequence(_ row: Int) -> Bool {
    positions[row] == positions[row - 1] + 1 && tables[row]?.blocks == tables[row - 1]?.blocks
  }

  /// Residual of one row, `[hiddenSize]`.
  public func residual(_ row: Int) -> UnsafeMutablePointer<Float> { hidden + row * hiddenSize }
}
