import Kernels
import Tensors

/// Weights of a float type in memory.
final class FloatMatrix {
  let matrix: WeightMatrix
  private let memory: AlignedBuffer

  /// Stores values row by row, rounded to the type. The rows start at an odd place, as they may in a file.
  init(_ values: [Float], type: QuantType, rows: Int, columns: Int) {
    let width = type.blockBytes
    memory = AlignedBuffer(byteCount: values.count * width + 2)
    let base = memory.base + 2
    for (index, value) in values.enumerated() {
      switch type {
      case .f16: base.storeBytes(of: Float16(value).bitPattern, toByteOffset: 2 * index, as: UInt16.self)
      case .bf16:
        let bits = UInt16(truncatingIfNeeded: value.bitPattern >> 16)
        base.storeBytes(of: bits, toByteOffset: 2 * index, as: UInt16.self)
      default: base.storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
      }
    }
    matrix = WeightMatrix(bytes: base, type: type, rows: rows, columns: columns)
  }
}

/// The kernels of all instruction sets of this machine but the reference.
let vectorKernels: [Kernels] = Kernels.available.filter { $0 != .scalar }.compactMap { try? Kernels.select($0) }
/// The kernels of all instruction sets of this machine.
let allKernels: [Kernels] = Kernels.available.compactMap { try? Kernels.select($0) }
/// The reference.
let scalarKernels: Kernels = allKernels[0]

/// Calls `body` with memory for `count` values that start at 7, and returns them.
func output(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) -> [Float] {
  var values = [Float](repeating: 7, count: count)
  values.withUnsafeMutableBufferPointer { buffer in
    if let base = buffer.baseAddress { body(base) }
  }
  return values
}
