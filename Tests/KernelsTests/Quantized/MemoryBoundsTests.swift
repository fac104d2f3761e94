import Tensors
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

@testable import Kernels

/// Kernels read whole vectors, but never behind the last byte: a page behind it is made unreadable.
@Suite struct MemoryBoundsTests {
  /// Runs with memory of exactly `byteCount` bytes that ends where reading is a fault.
  private func withFence(_ byteCount: Int, _ body: (UnsafeMutableRawPointer) -> Void) throws {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let size = (byteCount + page - 1) / page * page
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    let base = try #require(mmap(nil, size + page, PROT_READ | PROT_WRITE, flags, -1, 0))
    try #require(base != MAP_FAILED)
    defer { munmap(base, size + page) }
    try #require(mprotect(base + size, page, PROT_NONE) == 0)
    body(base + size - byteCount)
  }

  @Test("products read no byte behind weights and activations", arguments: PresentKernels.all, PresentKernels.types)
  func products(_ present: PresentKernels, _ type: QuantType) throws {
    let multiply = try #require(present.kernels.multiply(type))
    let form = try #require(type.activationForm)
    let elements = form.blockElements
    let rowBytes = type.blockBytes
    let used = form.wireBytes(elements: elements) + elements / 8
    for (rows, count) in [(1, 1), (3, 1), (16, 1), (5, 6), (16, 8)] {
      let stride = form.rowStride(elements: elements)
      let samples = ActivationRows(
        form, rows: (0..<count).map { ActivationSample.normal.floats(elements, seed: UInt64($0)) })
      let weights = WeightSample.sane.bytes(type, rows: rows, elements: elements, seed: 30)
      let expected = PresentKernels.all[0].multiply(type, weights: weights, rows: rows, samples, count: count)
      var output = [Float](repeating: 0, count: rows * count)
      try withFence(rows * rowBytes) { weightMemory in
        weightMemory.copyMemory(from: weights, byteCount: weights.count)
        try? withFence((count - 1) * stride + used) { activationMemory in
          activationMemory.copyMemory(from: samples.buffer.base, byteCount: (count - 1) * stride + used)
          multiply(weightMemory, rowBytes, rows, activationMemory, stride, count, elements, &output, rows)
        }
      }
      #expect(output == expected, "\(rows) x \(count)")
    }
  }

  @Test("activations are made in exactly their memory", arguments: PresentKernels.all, PresentKernels.forms)
  func activations(_ present: PresentKernels, _ form: ActivationForm) throws {
    let quantize = try #require(present.kernels.quantize(form))
    let complete = try #require(present.kernels.complete(form))
    let elements = form.blockElements
    let used = form.wireBytes(elements: elements) + elements / 8
    let input = ActivationSample.normal.floats(elements, seed: 31)
    var results: [Bool] = []
    try withFence(4 * elements) { inputMemory in
      inputMemory.copyMemory(from: input, byteCount: 4 * elements)
      try? withFence(used) { row in
        results.append(quantize(inputMemory.assumingMemoryBound(to: Float.self), elements, row))
        results.append(complete(elements, row))
      }
    }
    #expect(results == [true, true])
  }
}
