import Tensors

@testable import Kernels

/// What the bits of sampled weight rows look like.
enum WeightSample: String, CaseIterable {
  case sane, zeros, largestCodes, smallestScales, denormalScales, hugeScales, infiniteScales, anyBits

  /// `rows` rows of `elements` weights of a type.
  func bytes(_ type: QuantType, rows: Int, elements: Int, seed: UInt64) -> [UInt8] {
    var numbers = SeededNumbers(seed: seed)
    let blocks = rows * elements / type.blockElements
    var result: [UInt8] = []
    for _ in 0..<blocks {
      var block: [UInt8]
      switch self {
      case .zeros: block = [UInt8](repeating: 0, count: type.blockBytes)
      case .largestCodes: block = [UInt8](repeating: 0xff, count: type.blockBytes)
      default: block = numbers.bytes(type.blockBytes)
      }
      setScales(of: &block, type, &numbers)
      result += block
    }
    return result
  }

  /// Writes sampled scales over those of a block.
  func setScales(of block: inout [UInt8], _ type: QuantType, _ numbers: inout SeededNumbers) {
    if type == .mxfp4 {
      if let exponent = exponent(&numbers) { block[0] = exponent }
      return
    }
    for offset in Self.halfOffsets(type) {
      guard let half = half(&numbers) else { continue }
      block[offset] = UInt8(truncatingIfNeeded: half)
      block[offset + 1] = UInt8(truncatingIfNeeded: half >> 8)
    }
  }

  /// The bits of a float16 scale; nil to leave what is there.
  private func half(_ numbers: inout SeededNumbers) -> UInt16? {
    let bits = UInt16(truncatingIfNeeded: numbers.next())
    switch self {
    case .sane, .largestCodes: return bits & 0x8fff | 0x2000  // 2^-7 to 2^-3, either sign
    case .smallestScales: return bits & 0x8001
    case .denormalScales: return bits & 0x83ff
    case .hugeScales: return bits & 0x8000 | 0x7bff
    case .infiniteScales: return bits & 0x8000 | 0x7c00
    case .zeros, .anyBits: return nil
    }
  }

  /// An E8M0 exponent; nil to leave what is there.
  private func exponent(_ numbers: inout SeededNumbers) -> UInt8? {
    let bits = UInt8(truncatingIfNeeded: numbers.next())
    switch self {
    case .sane, .largestCodes: return 120 + bits % 8
    case .smallestScales: return 0
    case .denormalScales: return bits % 4
    case .hugeScales: return 254 - bits % 2
    case .infiniteScales: return 255
    case .zeros, .anyBits: return nil
    }
  }

  /// Where the float16 fields of a block are.
  private static func halfOffsets(_ type: QuantType) -> [Int] {
    switch type {
    case .q4_1, .q5_1, .q4_K, .q5_K: [0, 2]
    case .q2_K: [80, 82]
    case .q3_K: [108]
    case .q6_K: [208]
    default: [0]
    }
  }
}

/// What sampled activations look like.
enum ActivationSample: String, CaseIterable {
  case normal, outliers, zeros, largest, alternating, tiny, blocksOfZeros

  func floats(_ count: Int, seed: UInt64) -> [Float] {
    var numbers = SeededNumbers(seed: seed)
    return (0..<count).map { index in
      switch self {
      case .normal: numbers.normal()
      case .outliers: numbers.normal() * (numbers.next() % 50 == 0 ? 300 : 1)
      case .zeros: 0
      case .largest: 3
      case .alternating: index % 2 == 0 ? -3 : 3
      case .tiny: numbers.normal() * 0x1p-99
      case .blocksOfZeros: index / 256 % 2 == 0 ? 0 : numbers.normal()
      }
    }
  }
}

/// Rows of activations in the form kernels take, quantized by the scalar reference.
final class ActivationRows {
  let buffer: AlignedBuffer
  let stride: Int
  let form: ActivationForm
  let elements: Int

  init(_ form: ActivationForm, rows: [[Float]]) {
    self.form = form
    elements = rows[0].count
    stride = form.rowStride(elements: elements)
    buffer = AlignedBuffer(byteCount: stride * rows.count)
    for (index, row) in rows.enumerated() {
      let isFinite = quantizeScalar(form, input: row, elements: elements, row: buffer.base + index * stride)
      precondition(isFinite, "samples are finite")
    }
  }

  /// What the row stands for: each element times its scale.
  func values(row: Int) -> [Double] {
    let parts = ActivationRow(form, base: buffer.base + row * stride, count: elements)
    return (0..<elements).map { Double(parts.elements[$0]) * Double(parts.scales[$0 / form.blockElements]) }
  }
}
