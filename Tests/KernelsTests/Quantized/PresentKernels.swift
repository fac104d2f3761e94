import Testing
import CKernels
import Tensors

@testable import Kernels

/// A set of quantized kernels that this machine can run.
struct PresentKernels: CustomTestStringConvertible, Sendable {
  let name: String
  let kernels: QuantizedKernels
  var testDescription: String { name }

  static let all: [PresentKernels] = {
    var result = [PresentKernels(name: "scalar", kernels: .scalar)]
    #if arch(x86_64)
      let features = ck_cpu_features()
      if features & CK_CPU_AVX2 != 0 { result.append(.init(name: "avx2", kernels: .avx2)) }
      if features & CK_CPU_AVXVNNI != 0 { result.append(.init(name: "avxvnni", kernels: .vnniOfAVX)) }
      if features & CK_CPU_AVX512 != 0 { result.append(.init(name: "avxvnni by avx512", kernels: .vnniOfAVX512)) }
      if features & CK_CPU_AVX512 != 0 { result.append(.init(name: "avx512", kernels: .avx512)) }
    #elseif arch(arm64)
      result.append(.init(name: "neon", kernels: .neon))
    #endif
    return result
  }()

  static let types = QuantizedKernels.supportedTypes.sorted { $0.rawValue < $1.rawValue }
  static let forms: [ActivationForm] = [.int8x32, .int8x256]

  /// Products of weight rows with activation rows: `[a * rows + r]`.
  func multiply(_ type: QuantType, weights: [UInt8], rows: Int, _ activations: ActivationRows, count: Int) -> [Float] {
    guard let multiply = kernels.multiply(type) else { return [] }
    let gap = 3
    let sentinel = Float(-12345)
    var output = [Float](repeating: sentinel, count: (rows + gap) * count)
    weights.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      multiply(
        base, weights.count / rows, rows, activations.buffer.base, activations.stride, count, activations.elements,
        &output, rows + gap)
    }
    var result: [Float] = []
    for row in 0..<count {
      let start = row * (rows + gap)
      precondition(output[start + rows..<start + rows + gap].allSatisfy { $0 == sentinel }, "wrote behind the rows")
      result += output[start..<start + rows]
    }
    return result
  }
}
