import CKernels
import Tensors

@testable import Kernels

/// One call of a kernel with all its memory, for a program that runs on another CPU: Tests/CrossKernels/driver.c says
/// what operations, parameters and buffers mean. The last buffer is the one that the call writes.
struct CrossCase {
  enum Operation: UInt32 {
    case multiply, quantize, complete, store, norm, softmax, swiGLU, add, dot, rotate, attend, accumulate
    case addAccumulated
  }

  let name: String
  let operation: Operation
  let parameters: [Int]
  let buffers: [[UInt8]]
  /// Whether the last buffer holds numbers, of which every NaN is as good as another.
  let makesFloats: Bool

  init(_ name: String, _ operation: Operation, _ parameters: [Int], _ buffers: [[UInt8]], makesFloats: Bool = true) {
    self.name = name
    self.operation = operation
    self.parameters = parameters
    self.buffers = buffers
    self.makesFloats = makesFloats
  }

  static let parameterCount = 10

  func encode(into bytes: inout [UInt8]) {
    bytes += CrossBytes.of([operation.rawValue, UInt32(buffers.count)])
    bytes += CrossBytes.of((0..<Self.parameterCount).map { $0 < parameters.count ? parameters[$0] : 0 })
    for buffer in buffers { bytes += CrossBytes.of([buffer.count]) + buffer }
  }

  /// What the reference makes of it: the result, and the last buffer afterwards.
  func reference() -> CrossAnswer {
    let memory = buffers.map { bytes in
      let buffer = AlignedBuffer(byteCount: max(bytes.count, 1))
      buffer.base.copyMemory(from: bytes, byteCount: bytes.count)
      return buffer
    }
    return withExtendedLifetime(memory) {
      let result = call(memory.map(\.base))
      let count = buffers[buffers.count - 1].count
      let written = UnsafeRawBufferPointer(start: memory[memory.count - 1].base, count: count)
      return CrossAnswer(result: result ? 1 : 0, bytes: Array(written), makesFloats: makesFloats)
    }
  }

  private func call(_ memory: [UnsafeMutableRawPointer]) -> Bool {
    let (p, kernels) = (parameters, FloatKernels.scalar)
    func floats(_ index: Int) -> UnsafeMutablePointer<Float> { memory[index].assumingMemoryBound(to: Float.self) }
    func sums(_ index: Int) -> UnsafeMutablePointer<Int64> { memory[index].assumingMemoryBound(to: Int64.self) }
    switch operation {
    case .multiply:
      let type = QuantType(rawValue: UInt32(p[0]))
      guard let type, let multiply = Kernels.multiply(type, kernels, .scalar) else { return false }
      multiply(memory[0], p[1], p[2], memory[1], p[3], p[4], p[5], floats(2), p[6])
    case .quantize: return QuantizedKernels.scalar.quantize(form)?(floats(0), p[1], memory[1]) ?? false
    case .complete: return QuantizedKernels.scalar.complete(form)?(p[1], memory[0]) ?? false
    case .store: return (p[0] == 2 ? kernels.storeF16 : kernels.storeF32)(floats(0), p[1], memory[1])
    case .norm: kernels.rmsNorm(floats(0), floats(1), CrossBytes.float(p[0]), p[1], floats(2))
    case .softmax: kernels.softmax(floats(0), p[0])
    case .swiGLU: kernels.swiGLU(floats(0), floats(1), p[0], floats(2))
    case .add: kernels.add(floats(0), floats(1), p[0])
    case .dot: floats(2)[0] = kernels.dot(floats(0), floats(1), p[0])
    case .rotate:
      (p[0] == 1 ? kernels.rotateInterleaved : kernels.rotateHalfSplit)(floats(2), floats(0), floats(1), p[1])
    case .attend: attend(memory, floats(0), floats(3))
    case .accumulate:
      return kernels.accumulate(floats(0), CrossBytes.float(p[0]), CrossBytes.double(p[1]), p[2], sums(1))
    case .addAccumulated: kernels.addAccumulated(sums(0), CrossBytes.double(p[0]), p[1], floats(1))
    }
    return true
  }

  private var form: ActivationForm { parameters[0] == 32 ? .int8x32 : .int8x256 }

  private func attend(
    _ memory: [UnsafeMutableRawPointer], _ queries: UnsafeMutablePointer<Float>, _ states: UnsafeMutablePointer<Float>
  ) {
    let p = parameters
    let scratch = AlignedBuffer(byteCount: 4 * Kernels.attentionScratch(queries: p[2]))
    var tile = ck_attention(
      queries: queries, query_stride: p[1], query_count: p[2], keys: memory[1], key_stride: p[3],
      values: memory[2], value_stride: p[4], count: p[5], next_keys: nil, next_values: nil,
      key_elements: p[6], value_elements: p[7],
      scale: CrossBytes.float(p[9]), scratch: scratch.floats, states: states, state_stride: p[8],
      is_first: p[9] >> 32 != 0)
    (p[0] == 2 ? FloatKernels.scalar.attendTileF16 : FloatKernels.scalar.attendTileF32)(&tile)
  }
}

/// What a call returned and wrote.
struct CrossAnswer {
  let result: Int
  let bytes: [UInt8]
  let makesFloats: Bool

  /// Whether another answer is the same: a refusal, or the same bits. What a refused call has written means nothing.
  func isSame(as other: CrossAnswer) -> Bool {
    guard result == other.result, bytes.count == other.bytes.count else { return false }
    if result == 0 || bytes == other.bytes { return true }
    return makesFloats && CrossBytes.floats(bytes).bits == CrossBytes.floats(other.bytes).bits
  }
}

/// Numbers and their bytes, as they lie in memory.
enum CrossBytes {
  static func of<Number: BitwiseCopyable>(_ numbers: [Number]) -> [UInt8] { numbers.withUnsafeBytes { Array($0) } }

  static func floats(_ bytes: [UInt8]) -> [Float] {
    (0..<bytes.count / 4).map { index in
      bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4 * index, as: Float.self) }
    }
  }

  /// The number whose bits a parameter's lower half holds, and the other way.
  static func float(_ parameter: Int) -> Float { Float(bitPattern: UInt32(truncatingIfNeeded: parameter)) }
  static func parameter(_ value: Float) -> Int { Int(value.bitPattern) }
  static func double(_ parameter: Int) -> Double { Double(bitPattern: UInt64(bitPattern: Int64(parameter))) }
  static func parameter(_ value: Double) -> Int { Int(Int64(bitPattern: value.bitPattern)) }
}
