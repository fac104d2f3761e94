import Tensors

/// Turns a row of weights of any supported type into float32, for rows of the embedding table. Values are those of
/// ggml's reference: (scale * subScale) * code - (minimum * subMinimum), each operation rounded to float32.
///
/// - Parameters:
///   - source: GGUF blocks at any alignment, `type.rowBytes(elements:)` bytes.
///   - elements: a multiple of the type's block.
///   - output: `elements` floats.
/// - Returns: false if the type is not supported; nothing is written then.
func dequantizeScalar(
  _ type: QuantType, source: UnsafeRawPointer, elements: Int, output: UnsafeMutablePointer<Float>
) -> Bool {
  switch type {
  case .f32:
    for index in 0..<elements {
      output[index] = source.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
    }
  case .f16:
    for index in 0..<elements { output[index] = source.half(2 * index) }
  case .bf16:
    for index in 0..<elements {
      let bits = source.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
      output[index] = HalfFloat.float(bf16: bits)
    }
  case .q4_0: dequantize(BlockQ4_0.self, source, elements, output)
  case .q8_0: dequantize(BlockQ8_0.self, source, elements, output)
  case .q4_K: dequantize(BlockQ4_K.self, source, elements, output)
  case .q5_K: dequantize(BlockQ5_K.self, source, elements, output)
  case .q6_K: dequantize(BlockQ6_K.self, source, elements, output)
  default: return false
  }
  return true
}

private func dequantize<Block: QuantBlock>(
  _: Block.Type, _ source: UnsafeRawPointer, _ elements: Int, _ output: UnsafeMutablePointer<Float>
) {
  UnpackedBlock.withTemporary { block in
    for index in 0..<elements / Block.elements {
      let scales = Block.unpack(source + index * Block.byteCount, into: block)
      let target = output + index * Block.elements
      for element in 0..<Block.elements {
        let subBlock = element / Block.subBlockElements
        let value = scales.scale * Float(block.subScales[subBlock]) * Float(block.codes[element])
        target[element] =
          Block.hasMinimum ? value - scales.minimum * Float(block.subMinimums[subBlock]) : value
      }
    }
  }
}
