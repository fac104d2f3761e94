import Tensors
import Testing

@testable import Kernels

/// Weights laid side by side.
@Suite struct WeightLayoutTests {
  /// A type that an instruction set wants in panels.
  struct Choice: CustomTestStringConvertible, Sendable {
    let kernels: Kernels
    let type: QuantType
    var testDescription: String { "\(type.name) \(kernels.instructionSet)" }
  }

  static let choices = vectorKernels.flatMap { kernels in
    QuantType.allCases.filter { kernels.layout(of: $0, rows: 16) == .panels }
      .map { Choice(kernels: kernels, type: $0) }
  }

  /// A matrix in rows, and the same in panels.
  private final class Weights {
    let bytes: [UInt8]
    let memory: (rows: AlignedBuffer, panels: AlignedBuffer)
    let rows: WeightMatrix
    let panels: WeightMatrix

    init(_ type: QuantType, _ sample: WeightSample, rows count: Int, columns: Int) {
      bytes = sample.bytes(type, rows: count, elements: columns, seed: UInt64(columns))
      memory = (AlignedBuffer(byteCount: bytes.count), AlignedBuffer(byteCount: bytes.count))
      for buffer in [memory.rows, memory.panels] { buffer.base.copyMemory(from: bytes, byteCount: bytes.count) }
      rows = WeightMatrix(bytes: memory.rows.base, type: type, rows: count, columns: columns)
      panels = WeightMatrix(bytes: memory.panels.base, type: type, rows: count, columns: columns)
        .interleaved(in: memory.panels.base)
    }
  }

  private func products(
    _ kernels: Kernels, _ matrix: WeightMatrix, _ range: Range<Int>, _ activations: ActivationRows, _ count: Int
  ) -> [UInt32] {
    output(matrix.rows * count) {
      kernels.multiply(
        matrix, rows: range, activations: activations.buffer.base, activationStride: activations.stride,
        activationRows: count, output: $0, outputStride: matrix.rows)
    }.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern }
  }

  @Test("panels give the bits of rows, whatever the weights", arguments: choices, WeightSample.allCases)
  func samples(_ choice: Choice, _ sample: WeightSample) throws {
    let form = try #require(choice.type.activationForm)
    for blocks in [1, 2, 9] {
      let columns = blocks * choice.type.blockElements
      guard columns % form.blockElements == 0 else { continue }
      let weights = Weights(choice.type, sample, rows: 32, columns: columns)
      for input in ActivationSample.allCases {
        let activations = ActivationRows(form, rows: (0..<2).map { input.floats(columns, seed: UInt64($0)) })
        let expected = products(scalarKernels, weights.rows, 0..<32, activations, 2)
        #expect(products(choice.kernels, weights.panels, 0..<32, activations, 2) == expected, "\(input)")
      }
    }
  }

  @Test("panels give the bits of rows, for any number of activation rows and part of the rows", arguments: choices)
  func shapes(_ choice: Choice) throws {
    let form = try #require(choice.type.activationForm)
    let columns = 3 * choice.type.blockElements
    let weights = Weights(choice.type, .sane, rows: 48, columns: columns)
    let activations = ActivationRows(
      form, rows: (0..<37).map { ActivationSample.normal.floats(columns, seed: UInt64($0)) })
    for count in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 37] {
      for range in [0..<48, 16..<32, 3..<45, 17..<18, 15..<17, 32..<32] {
        let expected = products(scalarKernels, weights.rows, range, activations, count)
        #expect(products(choice.kernels, weights.panels, range, activations, count) == expected, "\(count), \(range)")
      }
    }
  }

  @Test("rows come out of panels as they went in", arguments: choices)
  func copies(_ choice: Choice) throws {
    let columns = 2 * choice.type.blockElements
    let weights = Weights(choice.type, .anyBits, rows: 32, columns: columns)
    let count = weights.bytes.count
    for range in [0..<count, 0..<1, count - 1..<count, 7..<count / 2 + 5, count / 2..<count / 2] {
      var bytes = [UInt8](repeating: 0, count: range.count)
      bytes.withUnsafeMutableBytes { buffer in
        if let base = buffer.baseAddress { weights.panels.copyRows(range, to: base) }
      }
      #expect(bytes == Array(weights.bytes[range]))
    }
    for row in [0, 15, 16, 31] {
      let values = [weights.panels, weights.rows].map { matrix in
        output(columns) { choice.kernels.dequantizeRow(matrix, row: row, output: $0) }
          .map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern }
      }
      #expect(values[0] == values[1])
    }
  }

  @Test("only quantized matrices of whole panels are laid side by side, and never for the reference")
  func layouts() {
    for kernels in allKernels {
      for type in QuantType.allCases {
        #expect(kernels.layout(of: type, rows: 24) == .rows)
        if type.blockElements == 1 || kernels.instructionSet == .scalar {
          #expect(kernels.layout(of: type, rows: 32) == .rows)
        }
      }
    }
  }
}
