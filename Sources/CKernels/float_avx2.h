/// Building blocks of the AVX2 float kernels: two registers hold the 16 lanes.
#ifndef FLOAT_AVX2_H
#define FLOAT_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#include "ck_float.h"
#include "float_constants.h"

#pragma STDC FP_CONTRACT OFF

#define CK_AVX2 __attribute__((target("avx2,fma,f16c")))
#define CK_INLINE_AVX2 CK_AVX2 CK_INLINE

/// Lanes 0 to 7 and 8 to 15.
typedef struct {
  __m256 low, high;
} ck_lanes;

/// Where element `i` of a row begins, in bytes.
CK_INLINE size_t ck_place(int kind, size_t i) {
  return kind == CK_Q8 ? CK_Q8_CODE(i) : i * (kind == CK_F32 ? 4 : 2);
}

/// The first `count` of 8 lanes; none when count is negative, all from 8 on.
CK_INLINE_AVX2 __m256i ck_mask_256(ptrdiff_t count) {
  const int clamped = count < 0 ? 0 : count > 8 ? 8 : (int)count;
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(clamped), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/// 8 codes times the scale that element `i` of a CK_Q8 row has.
CK_INLINE_AVX2 __m256 ck_scaled_256(const void *base, size_t i, __m128i codes) {
  int16_t scale;
  __builtin_memcpy(&scale, (const char *)base + CK_Q8_SCALE(i), sizeof scale);
  return _mm256_mul_ps(_mm256_cvtph_ps(_mm_set1_epi16(scale)), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes)));
}

/// 8 elements from index `i` on, a multiple of 8.
CK_INLINE_AVX2 __m256 ck_load_256(int kind, const void *base, size_t i) {
  const char *p = (const char *)base + ck_place(kind, i);
  if (kind == CK_Q8) return ck_scaled_256(base, i, _mm_loadl_epi64((const __m128i *)p));
  if (kind == CK_F32) return _mm256_loadu_ps((const float *)p);
  const __m128i half = _mm_loadu_si128((const __m128i *)p);
  if (kind == CK_F16) return _mm256_cvtph_ps(half);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

/// The elements `i` ..< `count` (at most 8 of them), and zeros.
CK_INLINE_AVX2 __m256 ck_load_some_256(int kind, const void *base, size_t i, size_t count) {
  if (i >= count) return _mm256_setzero_ps();
  const size_t some = count - i < 8 ? count - i : 8;
  const char *p = (const char *)base + ck_place(kind, i);
  if (kind == CK_F32) return _mm256_maskload_ps((const float *)p, ck_mask_256((ptrdiff_t)some));
  if (kind == CK_Q8) {
    int64_t codes = 0;
    __builtin_memcpy(&codes, p, some);
    return ck_scaled_256(base, i, _mm_cvtsi64_si128(codes));
  }
  uint16_t padded[8] = {0};
  __builtin_memcpy(padded, p, 2 * some);
  return ck_load_256(kind, padded, 0);
}

CK_INLINE_AVX2 ck_lanes ck_zero_lanes(void) {
  const ck_lanes lanes = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  return lanes;
}

/// 16 elements from index `i` on, those from `count` on as zeros.
CK_INLINE_AVX2 ck_lanes ck_load_lanes(int kind, const void *base, size_t i, size_t count) {
  ck_lanes lanes;
  if (i + 16 <= count) {
    lanes.low = ck_load_256(kind, base, i);
    lanes.high = ck_load_256(kind, base, i + 8);
  } else {
    lanes.low = ck_load_some_256(kind, base, i, count);
    lanes.high = ck_load_some_256(kind, base, i + 8, count);
  }
  return lanes;
}

CK_INLINE_AVX2 ck_lanes ck_fma_lanes(ck_lanes left, ck_lanes right, ck_lanes sum) {
  sum.low = _mm256_fmadd_ps(left.low, right.low, sum.low);
  sum.high = _mm256_fmadd_ps(left.high, right.high, sum.high);
  return sum;
}

/// The tree: lane l += lane l + 8, + 4, + 2, + 1.
CK_INLINE_AVX2 float ck_sum_lanes(ck_lanes lanes) {
  const __m256 eight = _mm256_add_ps(lanes.low, lanes.high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/// The largest of 8 lanes.
CK_INLINE_AVX2 float ck_max_256(__m256 v) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/// e^x.
CK_INLINE_AVX2 __m256 ck_exp_256(__m256 x) {
  const __m256 magic = _mm256_set1_ps(CK_EXP_MAGIC);
  const __m256 shifted = _mm256_fmadd_ps(x, _mm256_set1_ps(CK_LOG2_E), magic);
  const __m256 n = _mm256_sub_ps(shifted, magic);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(CK_LN2_HIGH), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(CK_LN2_LOW), r);
  __m256 q = _mm256_set1_ps(CK_EXP_6);
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(CK_EXP_5));
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(CK_EXP_4));
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(CK_EXP_3));
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(CK_EXP_2));
  const __m256 p = _mm256_add_ps(_mm256_set1_ps(1), _mm256_fmadd_ps(_mm256_mul_ps(r, r), q, r));
  const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
  __m256 result = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
  const __m256 high = _mm256_cmp_ps(x, _mm256_set1_ps(CK_EXP_HIGHEST), _CMP_GT_OQ);
  const __m256 nan = _mm256_cmp_ps(x, x, _CMP_UNORD_Q);
  const __m256 none = _mm256_cmp_ps(x, _mm256_set1_ps(CK_EXP_LOWEST), _CMP_LT_OQ);
  result = _mm256_blendv_ps(result, _mm256_set1_ps(__builtin_inff()), high);
  result = _mm256_blendv_ps(result, x, nan);
  return _mm256_andnot_ps(none, result);
}

#endif
