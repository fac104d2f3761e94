import Tensors
import Testing

@testable import Kernels

@Suite struct DequantizeTests {
  static let types = PresentKernels.types + [.f16, .bf16]

  @Test("every type equals ggml bit for bit", arguments: types)
  func goldens(_ type: QuantType) throws {
    let fixtures = QuantFixtures()
    let bytes = try fixtures.quantized(type)
    let expected = try fixtures.dequantized(type)
    let rowBytes = try #require(type.rowBytes(elements: QuantFixtures.columns))
    #expect(bytes.count == QuantFixtures.rows * rowBytes)
    for row in 0..<QuantFixtures.rows {
      var output = [Float](repeating: 0, count: QuantFixtures.columns)
      let isSupported = bytes.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return false }
        return dequantizeScalar(
          type, source: base + row * rowBytes, elements: QuantFixtures.columns, output: &output)
      }
      #expect(isSupported)
      let range = row * QuantFixtures.columns..<(row + 1) * QuantFixtures.columns
      #expect(output.map(\.bitPattern) == expected[range].map(\.bitPattern), "row \(row)")
    }
  }

  @Test("float32 rows are copied from any alignment")
  func float32() {
    let values: [Float] = [1, -2.5, 0x1p-140, .greatestFiniteMagnitude]
    var bytes: [UInt8] = [0]
    for value in values {
      for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift)) }
    }
    var output = [Float](repeating: 0, count: 4)
    let isSupported = bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return false }
      return dequantizeScalar(.f32, source: base + 1, elements: 4, output: &output)
    }
    #expect(isSupported)
    #expect(output == values)
  }

  @Test("every exponent of MXFP4 is half its power of two, and the one that stands for NaN is infinite")
  func exponents() {
    for exponent in UInt8.min...UInt8.max {
      // Nibbles 1, which is 0.5, and 15, which is -6.
      let bytes = [exponent] + [UInt8](repeating: 0xf1, count: 16)
      var output = [Float](repeating: 0, count: 32)
      let isSupported = bytes.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return false }
        return dequantizeScalar(.mxfp4, source: base, elements: 32, output: &output)
      }
      #expect(isSupported)
      let power = exponent == 255 ? Double.infinity : Double(sign: .plus, exponent: Int(exponent) - 127, significand: 1)
      #expect(output[..<16].allSatisfy { $0 == Float(0.5 * power) }, "exponent \(exponent)")
      #expect(output[16...].allSatisfy { $0 == Float(-6 * power) }, "exponent \(exponent)")
    }
  }

  @Test("a type without kernels is refused and nothing written", arguments: [.iq2_xxs, .q8_1, .i8] as [QuantType])
  func unsupported(_ type: QuantType) {
    let bytes = [UInt8](repeating: 1, count: 512)
    var output: [Float] = [7]
    let isSupported = bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return true }
      return dequantizeScalar(type, source: base, elements: 256, output: &output)
    }
    #expect(!isSupported)
    #expect(output == [7])
  }
}
