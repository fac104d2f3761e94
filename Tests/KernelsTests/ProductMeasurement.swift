import Foundation
import Kernels
import Tensors
import Testing

/// Measures products of matrices beyond the caches; runs only when `SHOAL_MEASURE` is set, and asserts no times.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["SHOAL_MEASURE"] != nil))
struct ProductMeasurement {
  private static let columns = 4096
  private static let types = Kernels.supportedTypes.sorted { $0.rawValue < $1.rawValue }

  /// GB of weights read in a second with one activation row, and 10^9 products added with 64; on one thread.
  @Test("products of one activation row and of 64", arguments: vectorKernels.map(\.instructionSet), types)
  func products(_ instructionSet: InstructionSet, _ type: QuantType) throws {
    let kernels = try Kernels.select(instructionSet)
    let form = try #require(type.activationForm)
    let rowBytes = try #require(type.rowBytes(elements: Self.columns))
    let rows = (192 << 20) / rowBytes
    let memory = AlignedBuffer(byteCount: rows * rowBytes)
    var random = SeededRandom(1)
    for index in 0..<memory.byteCount / 8 {
      // No bits that are infinite or NaN as numbers of 16 bits.
      memory.base.storeBytes(of: random.next() & 0x3bff_3bff_3bff_3bff, toByteOffset: 8 * index, as: UInt64.self)
    }
    if type == .mxfp4 {
      for block in 0..<memory.byteCount / type.blockBytes {
        memory.base.storeBytes(of: 120, toByteOffset: block * type.blockBytes, as: UInt8.self)
      }
    }
    let matrix = WeightMatrix(bytes: memory.base, type: type, rows: rows, columns: Self.columns)
    let stride = form.rowStride(elements: Self.columns)
    let activations = AlignedBuffer(byteCount: 64 * stride)
    for row in 0..<64 {
      let input = Distribution.normal.values(Self.columns, seed: UInt64(row))
      #expect(
        kernels.prepareActivations(form, input: input, elements: Self.columns, row: activations.base + row * stride))
    }
    let output = AlignedBuffer(byteCount: 4 * 64 * rows)
    func seconds(_ range: Range<Int>, _ count: Int) -> Double {
      let start = ContinuousClock.now
      kernels.multiply(
        matrix, rows: range, activations: activations.base, activationStride: stride, activationRows: count,
        output: output.floats, outputStride: rows)
      return (ContinuousClock.now - start) / .seconds(1)
    }
    let some = min(rows, 1024)
    let one = (0..<9).map { _ in seconds(0..<rows, 1) }.sorted()[4]
    let many = (0..<5).map { _ in seconds(0..<some, 64) }.sorted()[2]
    let speed = String(format: "%.1f GB/s", Double(rows * rowBytes) / one / 1e9)
    let rate = String(format: "%.1f G/s with 64 rows", Double(64 * some * Self.columns) / many / 1e9)
    print("\(type.name) \(instructionSet): \(speed), \(rate)")
  }
}
