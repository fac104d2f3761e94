import CKernels

#if arch(x86_64)
  extension FloatKernels {
    static let avx2 = FloatKernels(
      multiplyF32: ck_multiply_f32_f32_avx2, multiplyF16: ck_multiply_f16_f32_avx2,
      multiplyBF16: ck_multiply_bf16_f32_avx2, storeF32: ck_store_f32_avx2, storeF16: ck_store_f16_avx2,
      storeQ8: ck_store_q8_avx2,
      rmsNorm: ck_rms_norm_avx2, softmax: ck_softmax_avx2, swiGLU: ck_swiglu_avx2, add: ck_add_avx2,
      dot: ck_dot_f32_f32_avx2, rotateHalfSplit: ck_rotate_half_split_avx2,
      rotateInterleaved: ck_rotate_interleaved_avx2, attendTileF32: ck_attend_f32_f32_avx2,
      attendTileF16: ck_attend_f16_f32_avx2, attendTileQ8: ck_attend_q8_f32_avx2,
      mergeAttention: ck_merge_attention_avx2, accumulate: ck_accumulate_avx2,
      addAccumulated: ck_add_accumulated_avx2)

    /// What is bound by memory anyway is taken from AVX2.
    static let avx512 = FloatKernels(
      multiplyF32: ck_multiply_f32_f32_avx512, multiplyF16: ck_multiply_f16_f32_avx512,
      multiplyBF16: ck_multiply_bf16_f32_avx512, storeF32: ck_store_f32_avx2, storeF16: ck_store_f16_avx512,
      storeQ8: ck_store_q8_avx2,
      rmsNorm: ck_rms_norm_avx512, softmax: ck_softmax_avx512, swiGLU: ck_swiglu_avx512, add: ck_add_avx2,
      dot: ck_dot_f32_f32_avx512, rotateHalfSplit: ck_rotate_half_split_avx2,
      rotateInterleaved: ck_rotate_interleaved_avx2, attendTileF32: ck_attend_f32_f32_avx512,
      attendTileF16: ck_attend_f16_f32_avx512, attendTileQ8: ck_attend_q8_f32_avx512,
      mergeAttention: ck_merge_attention_avx2, accumulate: ck_accumulate_avx512,
      addAccumulated: ck_add_accumulated_avx512)
  }
#elseif arch(arm64)
  extension FloatKernels {
    /// What keys and values as Q8_0 need is the reference's yet.
    static let neon = FloatKernels(
      multiplyF32: ck_multiply_f32_f32_neon, multiplyF16: ck_multiply_f16_f32_neon,
      multiplyBF16: ck_multiply_bf16_f32_neon, storeF32: ck_store_f32_neon, storeF16: ck_store_f16_neon,
      storeQ8: scalar.storeQ8,
      rmsNorm: ck_rms_norm_neon, softmax: ck_softmax_neon, swiGLU: ck_swiglu_neon, add: ck_add_neon,
      dot: ck_dot_f32_f32_neon, rotateHalfSplit: ck_rotate_half_split_neon,
      rotateInterleaved: ck_rotate_interleaved_neon, attendTileF32: ck_attend_f32_f32_neon,
      attendTileF16: ck_attend_f16_f32_neon, attendTileQ8: scalar.attendTileQ8,
      mergeAttention: scalar.mergeAttention, accumulate: ck_accumulate_neon,
      addAccumulated: ck_add_accumulated_neon)
  }
#endif
