/// Building blocks of the AVX-512 float kernels: one register holds the 16 lanes.
#ifndef FLOAT_AVX512_H
#define FLOAT_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#include "ck_float.h"
#include "float_constants.h"

#pragma STDC FP_CONTRACT OFF

#define CK_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")))
#define CK_INLINE_AVX512 CK_AVX512 CK_INLINE

/// Where element `i` of a row begins, in bytes.
CK_INLINE size_t ck_place(int kind, size_t i) {
  return kind == CK_Q8 ? CK_Q8_CODE(i) : i * (kind == CK_F32 ? 4 : 2);
}

/// The first `count` of 16 lanes, for count below 16.
CK_INLINE_AVX512 __mmask16 ck_mask_512(size_t count) { return (__mmask16)((1u << count) - 1); }

/// The scale of a CK_Q8 row's element `i`, in all lanes.
CK_INLINE_AVX512 __m512 ck_scale_512(const void *base, size_t i) {
  int16_t scale;
  __builtin_memcpy(&scale, (const char *)base + CK_Q8_SCALE(i), sizeof scale);
  return _mm512_cvtph_ps(_mm256_set1_epi16(scale));
}

CK_INLINE_AVX512 __m512 ck_float_512(__m128i codes) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes)); }

/// 16 elements from index `i` on, a multiple of 16.
CK_INLINE_AVX512 __m512 ck_load_512(int kind, const void *base, size_t i) {
  const char *p = (const char *)base + ck_place(kind, i);
  if (kind == CK_Q8)
    return _mm512_mul_ps(ck_scale_512(base, i), ck_float_512(_mm_loadu_si128((const __m128i *)p)));
  if (kind == CK_F32) return _mm512_loadu_ps(p);
  const __m256i half = _mm256_loadu_si256((const __m256i *)p);
  if (kind == CK_F16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/// The elements of the mask from index `i` on, and zeros.
CK_INLINE_AVX512 __m512 ck_load_some_512(int kind, const void *base, size_t i, __mmask16 mask) {
  const char *p = (const char *)base + ck_place(kind, i);
  if (kind == CK_Q8) return _mm512_mul_ps(ck_scale_512(base, i), ck_float_512(_mm_maskz_loadu_epi8(mask, p)));
  if (kind == CK_F32) return _mm512_maskz_loadu_ps(mask, p);
  const __m256i half = _mm256_maskz_loadu_epi16(mask, p);
  if (kind == CK_F16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/// The tree: lane l += lane l + 8, + 4, + 2, + 1.
CK_INLINE_AVX512 float ck_sum_512(__m512 lanes) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/// e^x.
CK_INLINE_AVX512 __m512 ck_exp_512(__m512 x) {
  const __m512 magic = _mm512_set1_ps(CK_EXP_MAGIC);
  const __m512 shifted = _mm512_fmadd_ps(x, _mm512_set1_ps(CK_LOG2_E), magic);
  const __m512 n = _mm512_sub_ps(shifted, magic);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(CK_LN2_HIGH), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(CK_LN2_LOW), r);
  __m512 q = _mm512_set1_ps(CK_EXP_6);
  q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(CK_EXP_5));
  q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(CK_EXP_4));
  q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(CK_EXP_3));
  q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(CK_EXP_2));
  const __m512 p = _mm512_add_ps(_mm512_set1_ps(1), _mm512_fmadd_ps(_mm512_mul_ps(r, r), q, r));
  const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
  __m512 result = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), exponent));
  const __mmask16 high = _mm512_cmp_ps_mask(x, _mm512_set1_ps(CK_EXP_HIGHEST), _CMP_GT_OQ);
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  const __mmask16 some = _mm512_cmp_ps_mask(x, _mm512_set1_ps(CK_EXP_LOWEST), _CMP_NLT_UQ);
  result = _mm512_mask_mov_ps(result, high, _mm512_set1_ps(__builtin_inff()));
  result = _mm512_mask_mov_ps(result, nan, x);
  return _mm512_maskz_mov_ps(some, result);
}

#endif
