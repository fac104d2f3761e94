extension FloatKernels {
  static let scalar = FloatKernels(
    multiplyF32: ScalarKernels.multiplyF32, multiplyF16: ScalarKernels.multiplyF16,
    multiplyBF16: ScalarKernels.multiplyBF16, storeF32: ScalarKernels.storeF32, storeF16: ScalarKernels.storeF16,
    storeQ8: ScalarKernels.storeQ8,
    rmsNorm: ScalarKernels.rmsNorm, softmax: ScalarKernels.softmax, swiGLU: ScalarKernels.swiGLU,
    add: ScalarKernels.add, dot: ScalarKernels.dot, rotateHalfSplit: ScalarKernels.rotateHalfSplit,
    rotateInterleaved: ScalarKernels.rotateInterleaved, attendTileF32: ScalarKernels.attendTileF32,
    attendTileF16: ScalarKernels.attendTileF16, attendTileQ8: ScalarKernels.attendTileQ8,
    mergeAttention: ScalarKernels.mergeAttention, accumulate: ScalarKernels.accumulate,
    addAccumulated: ScalarKernels.addAccumulated)
}
