import Tensors
import Testing

@testable import Kernels

/// Every instruction set against the scalar reference, for the making of activations.
@Suite struct ActivationKernelsTests {
  private func bytes(_ buffer: AlignedBuffer) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: buffer.base, count: buffer.byteCount))
  }

  @Test("rows equal the scalar ones byte for byte", arguments: PresentKernels.all, PresentKernels.forms)
  func quantize(_ present: PresentKernels, _ form: ActivationForm) throws {
    let quantize = try #require(present.kernels.quantize(form))
    for sample in ActivationSample.allCases {
      for (index, elements) in [1, 2, 3, 9].map({ $0 * form.blockElements }).enumerated() {
        let input = sample.floats(elements, seed: UInt64(100 + index))
        let expected = AlignedBuffer(byteCount: form.rowStride(elements: elements))
        let actual = AlignedBuffer(byteCount: form.rowStride(elements: elements))
        let results = [
          quantizeScalar(form, input: input, elements: elements, row: expected.base),
          quantize(input, elements, actual.base),
        ]
        #expect(results == [true, true])
        #expect(bytes(actual) == bytes(expected), "\(sample), \(elements) elements")
      }
    }
  }

  @Test("ties, borders and tiny numbers round as the scalar ones", arguments: PresentKernels.all, PresentKernels.forms)
  func ties(_ present: PresentKernels, _ form: ActivationForm) throws {
    let quantize = try #require(present.kernels.quantize(form))
    for largest in [
      Float(127), 1, 0x1p-100, Float(0x1p-100).nextDown, 0x1p-126, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
    ] {
      let count = 512
      let input = (0..<count).map { $0 % 32 == 0 ? largest : Float(Double(largest) * Double($0 % 255 - 127) / 254) }
      let expected = AlignedBuffer(byteCount: form.rowStride(elements: count))
      let actual = AlignedBuffer(byteCount: form.rowStride(elements: count))
      let results = [
        quantizeScalar(form, input: input, elements: count, row: expected.base), quantize(input, count, actual.base),
      ]
      #expect(results == [true, true])
      #expect(bytes(actual) == bytes(expected), "largest \(largest)")
    }
  }

  @Test("a number that is not finite is reported wherever it is", arguments: PresentKernels.all, PresentKernels.forms)
  func notFinite(_ present: PresentKernels, _ form: ActivationForm) throws {
    let quantize = try #require(present.kernels.quantize(form))
    let buffer = AlignedBuffer(byteCount: form.rowStride(elements: 512))
    for bad in [Float.infinity, -.infinity, .nan, -.nan, .signalingNaN] {
      for position in [0, 1, 31, 32, 200, 255, 256, 511] {
        var input = ActivationSample.normal.floats(512, seed: 7)
        input[position] = bad
        #expect(!quantize(input, 512, buffer.base), "\(bad) at \(position)")
      }
    }
  }

  @Test("completing the bytes that travel restores the row", arguments: PresentKernels.all, PresentKernels.forms)
  func complete(_ present: PresentKernels, _ form: ActivationForm) throws {
    let complete = try #require(present.kernels.complete(form))
    for sample in ActivationSample.allCases {
      let sent = ActivationRows(form, rows: [sample.floats(768, seed: 8)])
      let received = AlignedBuffer(byteCount: sent.stride)
      received.base.copyMemory(from: sent.buffer.base, byteCount: form.wireBytes(elements: 768))
      #expect(complete(768, received.base))
      #expect(bytes(received) == bytes(sent.buffer))
    }
  }

  @Test("bytes that no quantization makes are refused", arguments: PresentKernels.all, PresentKernels.forms)
  func refuse(_ present: PresentKernels, _ form: ActivationForm) throws {
    let complete = try #require(present.kernels.complete(form))
    let rows = ActivationRows(form, rows: [ActivationSample.normal.floats(768, seed: 9)])
    let row = ActivationRow(form, base: rows.buffer.base, count: 768)
    let last = 768 / form.blockElements - 1
    for block in [0, last] {
      let good = row.scales[block]
      for bad in [Float.infinity, .nan, -good, -0.0, -.infinity] {
        row.scales[block] = bad
        #expect(!complete(768, rows.buffer.base), "scale \(bad) of block \(block)")
      }
      row.scales[block] = good
    }
    for position in [0, 17, 300, 767] {
      let good = row.elements[position]
      row.elements[position] = -128
      #expect(!complete(768, rows.buffer.base), "-128 at \(position)")
      row.elements[position] = good
    }
    #expect(complete(768, rows.buffer.base))
  }
}
