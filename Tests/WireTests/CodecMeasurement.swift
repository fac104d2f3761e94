import Foundation
import Tensors
import Testing
import Wire

/// Measures the codecs of the data plane; runs only when `SHOAL_MEASURE` is set, and asserts no times.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["SHOAL_MEASURE"] != nil))
struct CodecMeasurement {
  private static let hiddenSize = 2048

  private func measure(_ name: String, _ body: () -> Void) {
    var times: [Duration] = []
    for _ in 0..<200 {
      let start = ContinuousClock.now
      for _ in 0..<50 { body() }
      times.append((ContinuousClock.now - start) / 50)
    }
    print("\(name): median \(times.sorted()[100])")
  }

  @Test("a combine row of 2048 elements, packed and added", arguments: [14, 22, 30])
  func combine(bits: Int) throws {
    var generator = SeededGenerator(seed: 1)
    let row = (0..<Self.hiddenSize).map { _ in Int64.random(in: -(1 << bits)..<(1 << bits), using: &generator) }
    var bytes = DataSamples.combine(row, rowCount: 1, hiddenSize: Self.hiddenSize)
    var sums = [Int64](repeating: 0, count: Self.hiddenSize)
    measure("size and write, \(bits + 1) bits") {
      let count = CombineWriter.byteCount(sums: row, rowCount: 1, hiddenSize: Self.hiddenSize)
      bytes.withUnsafeMutableBytes { bytes in
        CombineWriter.write(
          .init(rebasing: bytes[..<count]), layer: 0, pass: 0, part: 0, sums: row, rowCount: 1,
          hiddenSize: Self.hiddenSize)
      }
    }
    bytes.withUnsafeBytes { bytes in
      measure("validate and add, \(bits + 1) bits") {
        (try? CombineView(bytes, hiddenSize: Self.hiddenSize))?.add(row: 0, into: &sums)
      }
      measure("hash of \(bytes.count) bytes") { sums[0] &+= Int64(truncatingIfNeeded: XXH64.hash(bytes)) }
    }
    #expect(sums.contains { $0 != 0 })
  }

  @Test("validating a dispatch of one row of 2048 elements and 8 choices")
  func dispatch() {
    let layout = DispatchLayout(
      rowCount: 1, choiceCount: 8, forms: ActivationForms(.int8x256), hiddenSize: Self.hiddenSize)
    var bytes = [UInt8](repeating: 0, count: layout.byteCount)
    var found = 0
    bytes.withUnsafeMutableBytes { bytes in
      DispatchWriter(bytes, layout: layout, layer: 0, pass: 0, part: 0).setRow(0, exponent: 0, choiceCount: 8)
      measure("dispatch of \(layout.byteCount) bytes") {
        let view = try? DispatchView(UnsafeRawBufferPointer(bytes), hiddenSize: Self.hiddenSize, expertCount: 128)
        found += view?.choiceCount ?? 0
      }
    }
    #expect(found == 80_000)
  }
}
