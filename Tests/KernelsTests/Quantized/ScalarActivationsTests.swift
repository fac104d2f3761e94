import Tensors
import Testing

@testable import Kernels

/// The scalar reference of quantization: what its numbers must be.
@Suite struct ScalarActivationsTests {
  private func quantized(_ input: [Float], _ form: ActivationForm) -> (
    elements: [Int8], scales: [Float], sums: [Int16]
  )? {
    let buffer = AlignedBuffer(byteCount: form.rowStride(elements: input.count))
    guard quantizeScalar(form, input: input, elements: input.count, row: buffer.base) else { return nil }
    let row = ActivationRow(form, base: buffer.base, count: input.count)
    return (
      (0..<input.count).map { row.elements[$0] }, (0..<input.count / form.blockElements).map { row.scales[$0] },
      (0..<input.count / 16).map { row.sums[$0] }
    )
  }

  @Test("ties go to the even number")
  func ties() throws {
    // The largest is 127, so that scale and inverse are 1.
    var input = [Float](repeating: 0, count: 32)
    input.replaceSubrange(0..<10, with: [127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, -126.5, 63.5])
    let row = try #require(quantized(input, .int8x32))
    #expect(row.scales == [1])
    #expect(Array(row.elements[0..<10]) == [127, 0, 2, 2, 0, -2, -2, 126, -126, 64])
  }

  @Test("rounding by addition equals rounding to nearest, ties to even")
  func roundedToEvenEverywhere() {
    for step in -2048...2048 {
      let value = Float(step) / 16
      for neighbour in [value.nextDown, value, value.nextUp] {
        #expect(Float(roundedToEven(neighbour)) == neighbour.rounded(.toNearestOrEven))
      }
    }
  }

  @Test("elements are within half a step of the input, and the largest is 127", arguments: PresentKernels.forms)
  func error(_ form: ActivationForm) throws {
    for sample in [ActivationSample.normal, .outliers, .largest, .alternating, .tiny] {
      let input = sample.floats(1024, seed: 5)
      let row = try #require(quantized(input, form))
      for index in 0..<1024 {
        let scale = Double(row.scales[index / form.blockElements])
        let difference = abs(Double(row.elements[index]) * scale - Double(input[index]))
        #expect(difference <= scale * 0.50002)
      }
      for block in 0..<1024 / form.blockElements where row.scales[block] > 0 {
        let range = block * form.blockElements..<(block + 1) * form.blockElements
        #expect(row.elements[range].map { abs(Int($0)) }.max() == 127)
      }
    }
  }

  @Test("sums are those of 16 elements", arguments: PresentKernels.forms)
  func sums(_ form: ActivationForm) throws {
    let row = try #require(quantized(ActivationSample.outliers.floats(512, seed: 6), form))
    for index in 0..<32 {
      #expect(Int(row.sums[index]) == row.elements[16 * index..<16 * index + 16].reduce(0) { $0 + Int($1) })
    }
    let full = try #require(quantized([Float](repeating: -2, count: 256), form))
    #expect(full.sums == [Int16](repeating: -16 * 127, count: 16))
  }

  @Test("blocks below 2^-100 become zeros of scale 0, others do not", arguments: PresentKernels.forms)
  func tinyBlocks(_ form: ActivationForm) throws {
    var input = [Float](repeating: 0, count: 256)
    input[3] = -Float(0x1p-100).nextDown
    var row = try #require(quantized(input, form))
    #expect(row.scales[0] == 0)
    #expect(row.elements.allSatisfy { $0 == 0 })
    input[3] = -0x1p-100
    row = try #require(quantized(input, form))
    #expect(row.scales[0] == 0x1p-100 / 127)
    #expect(row.elements[3] == -127)
  }
}
