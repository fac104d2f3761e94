import Tensors

/// Products of quantized weight rows with int8 activation rows: this is the definition of the bits (docs/numerics.md).
///
/// Inside a block everything is an exact int32: s = sum of subScale * (sum of code * element), and for types with a
/// minimum t = sum of subMinimum * (sum of elements). Blocks then meet in ONE float32 accumulator, in ascending order:
/// acc = fma(scale * activationScale, s, acc) and, with a minimum, acc = fma(-(minimum * activationScale), t, acc).
/// The parameters are those of `QuantizedKernels.Multiply`.
func multiplyScalar(
  _ layout: QuantLayout,
  _ weights: UnsafeRawPointer, _ weightRowBytes: Int, _ weightRows: Int,
  _ activations: UnsafeRawPointer, _ activationStride: Int, _ activationRows: Int, _ elements: Int,
  _ output: UnsafeMutablePointer<Float>, _ outputStride: Int
) {
  let (blockElements, blockBytes) = (layout.type.blockElements, layout.type.blockBytes)
  UnpackedBlock.withTemporary { block in
    for weightRow in 0..<weightRows {
      for activationRow in 0..<activationRows { output[activationRow * outputStride + weightRow] = 0 }
      for index in 0..<elements / blockElements {
        let source = weights + weightRow * weightRowBytes + index * blockBytes
        let scales = layout.unpack(source, block)
        for activationRow in 0..<activationRows {
          let base = UnsafeMutableRawPointer(mutating: activations + activationRow * activationStride)
          let activation = ActivationRow(layout.activationForm, base: base, count: elements)
          addProduct(
            layout, blockElements, of: block, scales, with: activation.elements + index * blockElements,
            activationScale: activation.scales[index], to: &output[activationRow * outputStride + weightRow])
        }
      }
    }
  }
}

private func addProduct(
  _ layout: QuantLayout, _ count: Int, of block: UnpackedBlock, _ scales: BlockScales,
  with elements: UnsafePointer<Int8>, activationScale: Float, to accumulator: inout Float
) {
  var total = Int32(0)
  var minimumTotal = Int32(0)
  for subBlock in 0..<count / layout.subBlockElements {
    var dot = Int32(0)
    var sum = Int32(0)
    for index in subBlock * layout.subBlockElements..<(subBlock + 1) * layout.subBlockElements {
      dot &+= block.codes[index] &* Int32(elements[index])
      sum &+= Int32(elements[index])
    }
    total &+= block.subScales[subBlock] &* dot
    if layout.hasMinimum { minimumTotal &+= block.subMinimums[subBlock] &* sum }
  }
  accumulator.addProduct(scales.scale * activationScale, Float(total))
  if layout.hasMinimum {
    accumulator.addProduct(-(scales.minimum * activationScale), Float(minimumTotal))
  }
}
