import CKernels

/// The float half of the kernels of one instruction set: a table of C functions.
///
/// What each entry computes, to the bit, stands in docs/numerics.md; shapes and units are those of the methods of
/// `Kernels` that call them.
struct FloatKernels: Sendable {
  typealias Multiply = QuantizedKernels.Multiply
  /// input, count, output; false when a value is not finite (or does not fit the output type).
  typealias Store =
    @convention(c) @Sendable (UnsafePointer<Float>, Int, UnsafeMutableRawPointer) -> Bool
  /// input, weight, epsilon, count, output.
  typealias Norm =
    @convention(c) @Sendable (
      UnsafePointer<Float>, UnsafePointer<Float>, Float, Int, UnsafeMutablePointer<Float>
    ) -> Void
  typealias InPlace = @convention(c) @Sendable (UnsafeMutablePointer<Float>, Int) -> Void
  /// gate, up, count, output.
  typealias SwiGLU =
    @convention(c) @Sendable (UnsafePointer<Float>, UnsafePointer<Float>, Int, UnsafeMutablePointer<Float>) -> Void
  typealias Add = @convention(c) @Sendable (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int) -> Void
  typealias Dot = @convention(c) @Sendable (UnsafePointer<Float>, UnsafePointer<Float>, Int) -> Float
  /// head, cosines, sines, pairs.
  typealias Rotate =
    @convention(c) @Sendable (UnsafeMutablePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>, Int) -> Void
  typealias AttendTile = @convention(c) @Sendable (UnsafePointer<ck_attention>) -> Void
  /// A tile's state, elements of a value, the state it joins.
  typealias MergeAttention =
    @convention(c) @Sendable (UnsafePointer<Float>, Int, UnsafeMutablePointer<Float>) -> Void
  /// values, weight, 2^-exponent, count, sums.
  typealias Accumulate =
    @convention(c) @Sendable (UnsafePointer<Float>, Float, Double, Int, UnsafeMutablePointer<Int64>) -> Bool
  /// sums, 2^exponent, count, residual.
  typealias AddAccumulated =
    @convention(c) @Sendable (UnsafePointer<Int64>, Double, Int, UnsafeMutablePointer<Float>) -> Void

  let multiplyF32: Multiply
  let multiplyF16: Multiply
  let multiplyBF16: Multiply
  let storeF32: Store
  let storeF16: Store
  let storeQ8: Store
  let rmsNorm: Norm
  let softmax: InPlace
  let swiGLU: SwiGLU
  let add: Add
  let dot: Dot
  let rotateHalfSplit: Rotate
  let rotateInterleaved: Rotate
  let attendTileF32: AttendTile
  let attendTileF16: AttendTile
  let attendTileQ8: AttendTile
  let mergeAttention: MergeAttention
  let accumulate: Accumulate
  let addAccumulated: AddAccumulated
}
