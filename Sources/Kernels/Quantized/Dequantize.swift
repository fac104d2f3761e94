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
  default:
    guard let layout = QuantLayout.byType[type] else { return false }
    dequantize(layout, source, elements, output)
  }
  return true
}

private func dequantize(
  _ layout: QuantLayout, _ source: UnsafeRawPointer, _ elements: Int, _ output: UnsafeMutablePointer<Float>
) {
  let (blockElements, blockBytes) = (layout.type.blockElements, layout.type.blockBytes)
  UnpackedBlock.withTemporary { block in
    for index in 0..<elements / blockElements {
      let scales = layout.unpack(source + index * blockBytes, block)
      let target = output + index * blockElements
      for element in 0..<blockElements {
        let subBlock = element / layout.subBlockElements
        let value = scales.scale * Float(block.subScales[subBlock]) * Float(block.codes[element])
        target[element] =
          layout.hasMinimum ? value - scales.minimum * Float(block.subMinimums[subBlock]) : value
      }
    }
  }
}
